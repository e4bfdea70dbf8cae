"""A provider of every channel that deals with a send as it is told to, and remembers what it has taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING

from providers.base import MessageState, Receipt
from providers.errors import (
    Ambiguous,
    Misconfigured,
    ProviderError,
    RateLimited,
    Rejected,
    Suppressed,
    Transient,
    Undeliverable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from providers.base import EmailMessage, PhoneMessage
    from tests.notifications.pipeline import Clock

PROVIDERS = {"EMAIL": "sendgrid", "WHATSAPP": "twilio", "SMS": "twilio"}


class Answer(Enum):
    """How a send is dealt with."""

    TAKEN = auto()
    TAKEN_UNHEARD = auto()
    """Taken, and the answer is lost on its way."""
    LOST = auto()
    """The line drops before the provider has it, which nobody can tell."""
    REJECTED = auto()
    SUPPRESSED = auto()
    UNDELIVERABLE = auto()
    TRANSIENT = auto()
    RATE_LIMITED = auto()
    MISCONFIGURED = auto()
    UNPREPARED = auto()
    """Our own fault: nothing leaves."""


_REFUSALS: Mapping[Answer, Callable[[], Exception]] = {
    Answer.TAKEN_UNHEARD: lambda: Ambiguous("no_answer", "the line dropped"),
    Answer.LOST: lambda: Ambiguous("no_answer", "the line dropped"),
    Answer.REJECTED: lambda: Rejected("21211", "no such number"),
    Answer.SUPPRESSED: lambda: Suppressed("21610", "the person has said stop"),
    Answer.UNDELIVERABLE: lambda: Undeliverable("63003", "not on this channel"),
    Answer.TRANSIENT: lambda: Transient("http_503", "later"),
    Answer.RATE_LIMITED: lambda: RateLimited("http_429", "too much", 45.0),
    Answer.MISCONFIGURED: lambda: Misconfigured("http_401", "no such key"),
    Answer.UNPREPARED: lambda: ValueError("no words"),
}

_TWILIO_WAYS = {
    "queued": ("sent", "delivered", "undelivered", "failed"),
    "sent": ("delivered", "undelivered", "failed"),
}
_WAYS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "EMAIL": {
        "processed": ("deferred", "delivered", "bounce", "dropped"),
        "deferred": ("delivered", "bounce", "dropped"),
        "delivered": ("open", "bounce"),
        "open": ("click",),
    },
    "SMS": _TWILIO_WAYS,
    "WHATSAPP": _TWILIO_WAYS | {"delivered": ("read",)},
}
"""What may become of a message that the provider has."""

FAILED = frozenset({"undelivered", "failed", "bounce", "dropped"})
ARRIVED = frozenset({"delivered", "read", "open", "click"})


@dataclass(eq=False)
class Message:
    """One message that was taken, and how it fares.

    Attributes:
        channel: Of the send.
        token: The attempt's.
        recipient: To whom.
        taken_at: When.
        status: In the provider's word.
        touched_at: When it came to that.
    """

    channel: str
    token: UUID
    recipient: str
    taken_at: datetime
    status: str
    touched_at: datetime

    @property
    def id(self) -> str:
        return f"SM{self.token.hex}"

    @property
    def next(self) -> Sequence[str]:
        """What may become of it."""
        return _WAYS[self.channel].get(self.status, ())

    @property
    def code(self) -> str | None:
        if self.status not in FAILED:
            return None
        return "5.1.1" if self.channel == "EMAIL" else "30003"

    def callback(self) -> dict[str, object]:
        """What the provider posts of its status, as the ingress stores it."""
        provider = PROVIDERS[self.channel]
        if provider == "sendgrid":
            callback_id = f"{self.token}:{self.status}"
            body: dict[str, object] = {
                "event": self.status,
                "timestamp": int(self.touched_at.timestamp()),
                "sg_message_id": f"{self.id}.recvd-7f9c",
                "email": self.recipient,
                **({"status": self.code, "reason": "no such box"} if self.code else {}),
            }
        else:
            callback_id = f"{self.id}:{self.status}:{self.code or '-'}"
            body = {
                "MessageSid": self.id,
                "MessageStatus": self.status,
                "To": self.recipient,
                **({"ErrorCode": self.code} if self.code else {}),
            }
        return {
            "provider": provider,
            "callback_id": callback_id,
            "received_at": self.touched_at,
            "body": body | {"attempt": str(self.token)},
        }


@dataclass
class Office:
    """The provider behind all counters.

    Attributes:
        clock: Its time.
        answer: How the next sends are dealt with.
        mute: Whether questions are left without an answer.
        messages: What was taken, by the attempts' tokens, in its order.
        outgoing: What it has to post, and what it has posted: that may come again.
    """

    clock: Clock
    answer: Answer = Answer.TAKEN
    mute: bool = False
    messages: dict[UUID, Message] = field(default_factory=dict)
    outgoing: list[dict[str, object]] = field(default_factory=list)

    def take(self, channel: str, token: UUID, recipient: str) -> Receipt:
        provider = PROVIDERS[channel]
        message = Message(
            channel,
            token,
            recipient,
            self.clock(),
            "processed" if provider == "sendgrid" else "queued",
            self.clock(),
        )
        if self.answer in {Answer.TAKEN, Answer.TAKEN_UNHEARD}:
            assert token not in self.messages, "one attempt was sent twice"
            self.messages[token] = message
            self.outgoing.append(message.callback())
        refusal = _REFUSALS.get(self.answer)
        if refusal is not None:
            raise refusal()
        return Receipt(provider, message.id, {"status": 202})

    def move_on(self, message: Message, status: str) -> None:
        """Something becomes of a message; the callback waits to be posted."""
        message.status, message.touched_at = status, self.clock()
        self.outgoing.append(message.callback())

    def deliver_all(self) -> None:
        """What is under way arrives."""
        for message in self.messages.values():
            if "delivered" in message.next:
                self.move_on(message, "delivered")


@dataclass(frozen=True)
class Counter:
    """One channel's side of the provider: takes messages, and answers questions about them."""

    office: Office
    channel: str

    @property
    def name(self) -> str:
        return PROVIDERS[self.channel]

    def send(self, message: EmailMessage | PhoneMessage) -> Receipt:
        return self.office.take(self.channel, message.token, message.recipient)

    def fetch(self, message_id: str) -> MessageState | None:
        return next((state for state in self._states() if state.message_id == message_id), None)

    def search(self, recipient: str, sent_on: date) -> Sequence[MessageState]:
        to = {message.id for message in self.office.messages.values() if message.recipient == recipient}
        return [
            state
            for state in self._states()
            if state.message_id in to and state.created_at and state.created_at.date() == sent_on
        ]

    def _states(self) -> list[MessageState]:
        """Of all messages, the newest first; a price comes with the last word."""
        if self.office.mute:
            raise _unanswered()
        return [
            MessageState(
                message.id,
                message.status,
                at=message.touched_at,
                code=message.code,
                segments=1,
                price=Decimal("0.07") if message.status in ARRIVED | FAILED else None,
                price_unit="EUR",
                created_at=message.taken_at,
            )
            for message in reversed(self.office.messages.values())
            if message.channel == self.channel
        ]


def _unanswered() -> ProviderError:
    return Transient("http_503", "later")
