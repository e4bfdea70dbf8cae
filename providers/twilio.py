"""SMS and WhatsApp by way of Twilio's Messages API."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from providers.base import Receipt
from providers.checks import base_url
from providers.codes import CodeTable
from providers.errors import Ambiguous
from providers.redaction import redact
from providers.retry_after import seconds_until_allowed
from providers.twilio_http import UNREADABLE, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from providers.base import PhoneMessage
    from providers.codes import Verdict
    from providers.errors import ProviderError
    from providers.transport import PooledTransport
    from providers.twilio_http import TwilioAccount

CODES = CodeTable("twilio")

# Where the ingress takes status callbacks, under the public URL.
STATUS_PATH = "/webhooks/twilio/status"

# Connection overrides (Twilio, "Webhook connection overrides"): two more tries, when no line opens, no answer
# comes or we are unwell. By default it is one, and for lines only. The fragment is neither sent nor signed.
_OVERRIDES = "rc=2&rp=5xx,ct,rt"

# Seconds that the API takes for ValidityPeriod.
_VALIDITY = (1, 36_000)

_PREFIXES = {"SMS": "", "WHATSAPP": "whatsapp:"}
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class TwilioSender:
    """A number of ours on one channel.

    Attributes:
        channel: ``SMS`` or ``WHATSAPP``.
        number: In international form, ``+33639980000``.

    Raises:
        ValueError: One of them is malformed.
    """

    channel: str
    number: str

    def __post_init__(self) -> None:
        if self.channel not in _PREFIXES:
            raise ValueError(f"Twilio sender channel {self.channel!r} is none of {', '.join(_PREFIXES)}")
        if not _INTERNATIONAL.fullmatch(self.number):
            raise ValueError(f"Twilio sender {self.number!r} is not of the form +33639980000; correct it")

    def address(self, number: str) -> str:
        """Write a number as Twilio addresses it on this channel."""
        return _PREFIXES[self.channel] + number


class TwilioMessages:
    """Sends one message a call, on one channel. Holds nothing that a call changes, so threads share it.

    The SDK builds the request and reads the answer. ``SmartEncoded`` is left off: what is sent is what was
    rendered, and counted in segments before.

    Args:
        account: Whose messages, and where.
        sender: Our number and its channel.
        public_url: The fleet's own address as Twilio reaches it, ``https://host``; callbacks go there.
        transport: The lines.
        now: The present in epoch seconds, for rate limit headers that name a moment.

    Raises:
        ValueError: The public URL is malformed.
    """

    name = "twilio"

    def __init__(
        self,
        account: TwilioAccount,
        sender: TwilioSender,
        public_url: str,
        transport: PooledTransport,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._messages = account.messages(transport)
        self._sender = sender
        self._callback = base_url(public_url, "public") + STATUS_PATH
        self._now = now

    def send(self, message: PhoneMessage) -> Receipt:
        """Send one message. See ``PhoneProvider.send``."""
        parameters = self._parameters(message)
        try:
            made = self._messages.create(**parameters)
            message_id, segments = identifier(made), segments_of(made)
        except Refusal as refusal:
            verdict = judged(refusal, self._sender.channel)
            raise failure(verdict, refusal, self._now(), message.recipient) from refusal
        except UNREADABLE as error:
            raise Ambiguous("unreadable_answer", f"{type(error).__name__} in reading a 2xx") from error
        return Receipt(self.name, message_id, {"status": str(made.status)}, segments)

    def _parameters(self, message: PhoneMessage) -> dict[str, Any]:
        shortest, longest = _VALIDITY
        content: dict[str, str] = {"body": message.body}
        if message.template:
            variables = json.dumps(dict(message.template.variables), ensure_ascii=False)
            content = {"content_sid": message.template.sid, "content_variables": variables}
        return {
            "to": self._sender.address(message.recipient),
            "from_": self._sender.address(self._sender.number),
            "validity_period": min(max(message.validity_seconds, shortest), longest),
            "status_callback": status_callback(self._callback, message.token),
            **content,
        }


def status_callback(url: str, token: UUID) -> str:
    """Write the address that Twilio reports an attempt's states to.

    What it requests, and signs, is this up to the fragment.
    """
    return f"{url}?attempt={token}#{_OVERRIDES}"


def identifier(made: Any) -> str:
    """Read a message's id from the SDK's object.

    Raises:
        ValueError: It has none.
    """
    if not isinstance(made.sid, str) or not made.sid:
        raise ValueError("a message without an id")
    return made.sid


def segments_of(made: Any) -> int | None:
    """Read how many parts a message is charged as, from the SDK's object; 0 is not yet known."""
    return int(made.num_segments or 0) or None


def judged(refusal: Refusal, channel: str) -> Verdict:
    """Classify what is not an acceptance, by the table of codes."""
    return CODES.judge(refusal.status, refusal.code, channel)


def failure(verdict: Verdict, refusal: Refusal, now: float, recipient: str) -> ProviderError:
    """Make the error of a refusal, without the recipient that its text may name, with or without a plus."""
    return CODES.error(
        verdict,
        refusal.code or f"http_{refusal.status}",
        redact(refusal.said or "no explanation", recipient, recipient.removeprefix("+")),
        seconds_until_allowed(refusal.headers, now),
    )
