"""Twilio's SDK over the common transport."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from twilio.base.exceptions import TwilioServiceException
from twilio.base.version import Version
from twilio.http.response import Response
from twilio.rest import Client

from providers.checks import base_url, secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio.rest.api.v2010.account.message import MessageList

    from providers.transport import PooledTransport

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_CODE = re.compile(r"[0-9]{5,6}")

# The SDK reads an edge and a region from the process's environment, unless given one that is not empty.
_NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}

# What the SDK raises when an answer is not what it expects: it takes JSON apart without looking.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Whose messages, and where.

    Attributes:
        sid: ``AC`` and 32 hexadecimal digits.
        auth_token: The account's token.
        base_url: ``https://api.twilio.com``, or where something else speaks its API.

    Raises:
        ValueError: One of them is malformed.
    """

    sid: str
    auth_token: str = field(repr=False)
    base_url: str

    def __post_init__(self) -> None:
        if not _ACCOUNT_SID.fullmatch(self.sid):
            raise ValueError("the Twilio account SID is not AC and 32 hexadecimal digits; copy it again")
        secret(self.auth_token, "Twilio auth token")
        base_url(self.base_url, "Twilio")

    def messages(self, transport: PooledTransport) -> MessageList:
        """Make the SDK's access to this account's messages; safe to share between threads.

        Its calls raise ``Refusal`` for every answer outside 2xx, what the transport raises, and one of
        ``UNREADABLE`` or the SDK's ``TwilioException`` where an answer makes no sense.
        """
        http = PooledHttp(self.base_url, transport)
        client = Client(self.sid, self.auth_token, environment=_NO_ENVIRONMENT, http_client=http)
        # The SDK makes the objects on the way on first use, unguarded: all of it happens here, in one thread.
        return client.messages


class Refusal(Exception):  # noqa: N818 - an answer like any other, never seen outside the adapters
    """Twilio's answer is a no.

    Attributes:
        status: The HTTP status.
        code: Twilio's own code, if the answer had one.
        said: The explanation, as it came: it may name the recipient.
        headers: The answer's headers, which the SDK's own exceptions drop.
    """

    def __init__(self, status: int, code: str | None, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.said = said
        self.headers = headers


class PooledHttp:
    """Stands in for the SDK's HTTP client.

    Args:
        base: Replaces ``https://api.twilio.com``; nothing that an answer says can lead anywhere else.
        transport: The lines.
    """

    def __init__(self, base: str, transport: PooledTransport) -> None:
        self._base = base_url(base, "Twilio")
        self._transport = transport

    def request(self, method: str, url: str, **parts: Any) -> Response:
        """Send one request of the SDK's making.

        Args:
            method: The HTTP method.
            url: Of ``https://api.twilio.com``.
            parts: ``params``, ``data``, ``headers`` and ``auth``. The rest is the transport's business.

        Raises:
            Refusal: The answer is not a 2xx.
            ProviderError: As the transport says.
        """
        target = urlsplit(url)
        query = "&".join(filter(None, (target.query, _encoded(parts["params"]))))
        answer = self._transport.request(
            method,
            f"{self._base}{target.path}{'?' if query else ''}{query}",
            {**parts["headers"], "Authorization": _basic(*parts["auth"])},
            _encoded(parts["data"]).encode() if method == "POST" else None,
        )
        response = Response(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)
        if answer.status // 100 != 2:  # noqa: PLR2004 - the class of success
            raise _refusal(method, url, response)
        return response


def _refusal(method: str, url: str, response: Response) -> Refusal:
    """Read an error body as the SDK does; it knows Twilio's two forms."""
    error = Version.exception(method, url, response, "")
    if isinstance(error, TwilioServiceException):
        said = f"{error.title}: {error.detail}" if error.detail else error.title
    else:
        said = error.msg.removeprefix(": ")
    # Where the body has no code the SDK puts the status, which is shorter.
    code = str(error.code) if _CODE.fullmatch(str(error.code)) else None
    return Refusal(response.status_code, code, str(said), response.headers)


def _encoded(parameters: Mapping[str, Any] | None) -> str:
    return urlencode(parameters or {}, doseq=True)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
