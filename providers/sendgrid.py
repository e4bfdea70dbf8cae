"""E-mail by way of SendGrid's v3 API."""

from __future__ import annotations

import json
import time
import tomllib
from email.utils import parseaddr
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, Content, CustomArg, From, Mail, To
from sendgrid.helpers.mail.exceptions import ApiKeyIncludedException

from providers.base import Receipt
from providers.errors import Ambiguous, Misconfigured, ProviderError, RateLimited, Rejected, Transient
from providers.redaction import redact
from providers.retry_after import seconds_until_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.base import EmailMessage
    from providers.transport import PooledTransport, Response

_CODES: dict[str, Any] = tomllib.loads(
    files("providers").joinpath("data/sendgrid_codes.toml").read_text("utf-8")
)
_KINDS: dict[str, type[ProviderError]] = {
    "ambiguous": Ambiguous,
    "misconfigured": Misconfigured,
    "rejected": Rejected,
    "transient": Transient,
}
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
        endpoint = SendGridAPIClient(_key(api_key), host=_base(base_url)).client.mail.send
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
        mail.add_custom_arg(CustomArg("attempt", str(message.token)))
        body: dict[str, Any] = mail.get()
        return body


def _failure(answer: Response, now: float, recipient: str) -> ProviderError:
    """Classify what is not an acceptance: the only place that knows what SendGrid's answers mean."""
    code = f"http_{answer.status}"
    errors = _errors(answer.body)
    said = "; ".join(": ".join(filter(None, error)) for error in errors)
    detail = redact(said or f"no explanation in {len(answer.body)} bytes", recipient)
    kind = _CODES["status"].get(str(answer.status)) or _CODES["class"].get(
        f"{answer.status // 100}xx", "ambiguous"
    )
    if kind == "rate_limited":
        limit = _CODES["rate_limit"]
        wait = seconds_until_allowed(answer.headers, now)
        return RateLimited(
            code, detail, min(max(limit["default"] if wait is None else wait, limit["least"]), limit["most"])
        )
    if kind == "rejected":
        kind = next(
            (_CODES["error_field"][field] for field, _ in errors if field in _CODES["error_field"]), kind
        )
    return _KINDS[kind](code, detail)


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


def _key(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "the SendGrid API key is empty or has a space, line break or foreign letter; copy it again"
        )
    return text


def _base(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"SendGrid base URL {text!r} is not of the form https://host; correct it")
    return text.rstrip("/")
