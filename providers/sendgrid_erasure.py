"""Having SendGrid erase what it keeps of people."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from providers.checks import base_url as checked_base_url
from providers.checks import secret
from providers.codes import CodeTable, Kind, Verdict
from providers.errors import Ambiguous, Transient
from providers.retry_after import seconds_until_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from providers.errors import ProviderError
    from providers.transport import PooledTransport, Response

_CODES = CodeTable("sendgrid")


class SendGridErasure:
    """Asks for the erasure of everything about addresses; SendGrid does it later, in its own time.

    Source: SendGrid, "Recipients' Data Erasure API". The key needs the scope ``recipients.erasejob.create``,
    which accounts from before 25 July 2023 get from SendGrid's support only: without it the answer is a 403.

    Args:
        api_key: The key, ``SG.…``.
        base_url: ``https://api.sendgrid.com``, or where something else speaks its API.
        transport: The lines.
        now: The present in epoch seconds, for rate limit headers that name a moment.

    Raises:
        ValueError: A setting is malformed.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        transport: PooledTransport,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = checked_base_url(base_url, "SendGrid") + "/v3/recipients/erasejob"
        self._headers = {
            "Authorization": f"Bearer {secret(api_key, 'SendGrid API key')}",
            "Content-Type": "application/json",
        }
        self._transport = transport
        self._now = now

    def erase(self, addresses: Sequence[str]) -> None:
        """Ask for it. See ``AddressErasure.erase``."""
        body = json.dumps({"email_addresses": list(addresses)}).encode()
        try:
            answer = self._transport.request("POST", self._url, self._headers, body)
        except Ambiguous as lost:
            raise Transient(lost.code, lost.detail) from lost
        if answer.status != HTTPStatus.ACCEPTED:
            raise self._failure(answer)

    def _failure(self, answer: Response) -> ProviderError:
        verdict = _CODES.judge(answer.status)
        if verdict.kind not in {Kind.MISCONFIGURED, Kind.RATE_LIMITED}:
            verdict = Verdict(Kind.TRANSIENT, verdict.known)
        wait = seconds_until_allowed(answer.headers, self._now())
        return _CODES.error(verdict, f"http_{answer.status}", "the erasure was not taken", wait)
