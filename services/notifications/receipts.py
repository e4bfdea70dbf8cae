"""What a provider's callback or answer says of a message, in the fleet's own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from providers.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from db.queries.inbox import Callback
    from providers.base import MessageState

SENDGRID: Final[Mapping[str, str]] = {
    "processed": "SENT",
    "deferred": "DEFERRED",
    "delivered": "DELIVERED",
    "open": "OPENED",
    "click": "CLICKED",
    "dropped": "FAILED",
    "bounce": "BOUNCED",
}
"""Of its event webhook's ``event``: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event.

What is missing here (a complaint, an unsubscription) says nothing of the way of the message.
"""

TWILIO: Final[Mapping[str, str]] = {
    "sent": "SENT",
    "delivered": "DELIVERED",
    "read": "OPENED",
    "undelivered": "FAILED",
    "failed": "FAILED",
    "canceled": "FAILED",
}
"""Of ``MessageStatus``: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status.

What is missing here (accepted, scheduled, queued, sending) says that Twilio has it, and no more.
"""

FAILED: Final = frozenset({"FAILED", "BOUNCED"})
ARRIVED: Final = frozenset({"DELIVERED", "OPENED", "CLICKED"})


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said of one message, which proves that the provider has accepted it.

    Attributes:
        provider: Who says it.
        token: The attempt's, where the provider gave it back.
        message_id: The provider's id of the message; empty where it was not told.
        state: One of the states of ``fleet.receipts``; None where it says no more than that it was accepted.
        at: When it came to that state, as far as the provider tells; never in the future.
        code: The provider's code of what went wrong.
        reason: The same in words, without addresses.
    """

    provider: str
    token: UUID | None
    message_id: str
    state: str | None
    at: datetime
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A person has written to one of our numbers.

    Attributes:
        channel: SMS or WHATSAPP.
        address: The person's number, ``+33639980000``.
        at: When we heard of it.
    """

    channel: str
    address: str
    at: datetime


Said = Word | Inbound


def read(callback: Callback, now: datetime) -> Said | None:
    """Read a callback of the inbox; None where its provider is none that this release knows.

    Args:
        callback: As it was stored, verified.
        now: No time is taken to be later than this.
    """
    reader = _READERS.get(callback.provider)
    return None if reader is None else reader(callback, min(callback.received_at, now))


def answered(provider: str, token: UUID, state: MessageState, now: datetime) -> Word:
    """Take what a provider answered when it was asked for a message as if it had said it by itself.

    Args:
        provider: Who was asked.
        token: The attempt whose message it is.
        state: The answer.
        now: When it came.
    """
    at = now if state.at is None else min(state.at, now)
    return Word(provider, token, state.message_id, TWILIO.get(state.status), at, state.code, state.reason)


def _sendgrid(callback: Callback, latest: datetime) -> Word:
    """``custom_args`` are merged into the event; ``sg_message_id`` begins with the id of the acceptance."""
    body = callback.body
    state = SENDGRID.get(_text(body, "event"))
    failed = state in FAILED
    return Word(
        provider="sendgrid",
        token=_token(body),
        message_id=_text(body, "sg_message_id").split(".", 1)[0],
        state=state,
        at=time_of(body, latest),
        code=(_text(body, "status") or _text(body, "type") or _text(body, "event")) if failed else None,
        reason=redact(_text(body, "reason"), _text(body, "email")) or None if failed else None,
    )


def _twilio(callback: Callback, latest: datetime) -> Said:
    """Twilio gives no time of its own that is finer than a minute: when the callback came is nearer."""
    body = callback.body
    if callback.callback_id.endswith(":inbound"):
        sender = _text(body, "From")
        number = sender.removeprefix("whatsapp:")
        return Inbound("SMS" if number == sender else "WHATSAPP", number, latest)
    state = TWILIO.get(_text(body, "MessageStatus").lower())
    said = _text(body, "ErrorMessage") or _text(body, "ChannelStatusMessage")
    number = _text(body, "To").removeprefix("whatsapp:")
    return Word(
        provider="twilio",
        token=_token(body),
        message_id=_text(body, "MessageSid"),
        state=state,
        at=latest,
        code=_text(body, "ErrorCode") or None if state in FAILED else None,
        reason=redact(said, number) or None if state in FAILED else None,
    )


_READERS: Final[Mapping[str, Callable[[Callback, datetime], Said]]] = {
    "sendgrid": _sendgrid,
    "twilio": _twilio,
}


def _token(body: Mapping[str, Any]) -> UUID | None:
    try:
        return UUID(_text(body, "attempt"))
    except ValueError:
        return None


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def time_of(event: Mapping[str, Any], latest: datetime) -> datetime:
    """When one of SendGrid's events happened, by its own word; ``latest`` where that is none or later."""
    return min(_unix_time(event.get("timestamp")) or latest, latest)


def _unix_time(value: object) -> datetime | None:
    if not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
