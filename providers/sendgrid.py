"""E-mail by way of SendGrid's v3 API."""

from __future__ import annotations

import json
import time
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, Content, CustomArg, From, Header, Mail, To
from sendgrid.helpers.mail.exceptions import ApiKeyIncludedException

from providers.base import Receipt
from providers.checks import base_url as checked_base_url
from providers.checks import secret
from providers.codes import CodeTable
from providers.errors import Rejected
from providers.redaction import redact
from providers.retry_after import seconds_until_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.base import EmailMessage
    from providers.errors import ProviderError
    from providers.transport import PooledTransport, Response

_CODES = CodeTable("sendgrid")
_ACCEPTED = 202


class SendGridEmail:
    """Sends one e-mail a call. Holds nothing that a call changes, so threads share it freely.

    The SDK builds the request: the body with its mail helper; URL and headers with its client, once. Its own
    HTTP is left out: it opens a line for every call and keeps per-call headers for the calls after it.

    Args:
        api_key: The key, ``SG.…``.
        base_url: ``https://api.sendgrid.com``, or where something else speaks its API.
        sender: ``Name <address>`` or an address, verified with SendGrid.
        transport: The lines.
        now: The present in epoch seconds, for rate limit headers that name a moment.

    Raises:
        ValueError: A setting is malformed.
    """

    name = "sendgrid"

    def __init__(
        self,
        api_key: str,
        base_url: str,
        sender: str,
        transport: PooledTransport,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sender = _sender(sender)
        self._transport = transport
        self._now = now
        endpoint = SendGridAPIClient(
            secret(api_key, "SendGrid API key"), host=checked_base_url(base_url, "SendGrid")
        ).client.mail.send
        self._url: str = endpoint._build_url(None)  # noqa: SLF001 - the SDK's only way to tell a URL without calling it
        self._headers: dict[str, str] = {**endpoint.request_headers, "Content-Type": "application/json"}

    def send(self, message: EmailMessage) -> Receipt:
        """Send one e-mail. See ``EmailProvider.send``."""
        body = json.dumps(self._body(message)).encode()
        answer = self._transport.request("POST", self._url, self._headers, body)
        message_id = answer.headers.get("X-Message-Id", "").strip()
        if answer.status == _ACCEPTED and message_id:
            return Receipt(self.name, message_id, {"status": answer.status})
        raise _failure(answer, self._now(), message.recipient)

    def _body(self, message: EmailMessage) -> dict[str, Any]:
        # Given to the constructor, an address would be parsed, and what follows a comma in it dropped.
        recipient = To()
        recipient.email = message.recipient
        mail = Mail(self._sender, recipient, message.subject)
        try:
            # The plain text first: SendGrid refuses the other order.
            mail.add_content(Content("text/plain", message.text))
            mail.add_content(Content("text/html", message.html))
        except ApiKeyIncludedException as error:
            raise Rejected(
                "key_in_content", "the SDK found what looks like a SendGrid key in the text"
            ) from error
        mail.add_category(Category(message.category))
        # With the recipient, not the mail: there the API's description has an object, on top a string.
        mail.add_custom_arg(CustomArg("attempt", str(message.token), p=0))
        if message.unsubscribe_url is not None:
            # RFC 8058: the second header says that the first one's address takes a POST in one click.
            mail.add_header(Header("List-Unsubscribe", f"<{message.unsubscribe_url}>"))
            mail.add_header(Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        body: dict[str, Any] = mail.get()
        return body


def _failure(answer: Response, now: float, recipient: str) -> ProviderError:
    """Classify what is not an acceptance: the only place that knows what SendGrid's answers mean."""
    errors = _errors(answer.body)
    said = "; ".join(": ".join(filter(None, error)) for error in errors)
    detail = redact(said or f"no explanation in {len(answer.body)} bytes", recipient)
    field = next((field for field, _ in errors if _CODES.lists(field)), None)
    verdict = _CODES.judge(answer.status, field)
    return _CODES.error(verdict, f"http_{answer.status}", detail, seconds_until_allowed(answer.headers, now))


def _errors(body: bytes) -> list[tuple[str, str]]:
    """Field and message of each error in SendGrid's error body; empty for any other body."""
    try:
        found = json.loads(body)["errors"]
        return [(str(error.get("field") or ""), str(error.get("message") or "")) for error in found]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _sender(text: str) -> From:
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not (local and domain) or not text.isprintable() or " " in address:
        raise ValueError(
            f"sender {text!r} is neither an address nor 'Name <address>'; quote a name that has a comma"
        )
    return From(address, name or None)
