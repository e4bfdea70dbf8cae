"""The phones of the people who are written to, in memory and bounded: what they got and answered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from workers.dev.sandbox.store import CallbackState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

Channel = Literal["sms", "whatsapp"]

WHATSAPP: Final = "whatsapp:"
_WINDOW = timedelta(hours=24)
# Twilio's defaults ("Support for Opt-out Keywords"): English, and the whole message only.
_STOP: Final = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_START: Final = frozenset({"start", "yes", "unstop"})


@dataclass(slots=True)
class PhoneMessage:
    """One SMS or WhatsApp message, to a phone or from it.

    Attributes:
        sid: The provider's id.
        channel: Which of the two.
        inbound: Whether the phone has written it.
        number: The phone's, without the channel's prefix.
        ours: The number at the other end, likewise; an SMS may have a name there.
        body: The text; of a template, with its places filled in where the sandbox knows its words.
        segments: Parts that it is charged as.
        created_at: When it was accepted.
        updated_at: When it last changed.
        sent_at: When it left the provider.
        status: The provider's word for its state.
        error_code: Why it failed.
        content_sid: The template's id, if it is one.
        variables: What fills the template's places.
        callback: Where its states are told; empty for nowhere.
        token: What the callback's address says of the attempt.
        validity: Seconds that it may wait.
        media: Number of files that came with it.
        connection: Number of the TCP connection that carried it.
        callbacks: How far the telling is.
    """

    sid: str
    channel: Channel
    inbound: bool
    number: str
    ours: str
    body: str
    segments: int
    created_at: datetime
    updated_at: datetime
    status: str
    sent_at: datetime | None = None
    error_code: int | None = None
    content_sid: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    callback: str = ""
    token: str | None = None
    validity: int | None = None
    media: int = 0
    connection: int = 0
    callbacks: CallbackState = CallbackState.NONE

    @property
    def to(self) -> str:
        """The address that it goes to, as Twilio writes it."""
        return self._address(self.ours if self.inbound else self.number)

    @property
    def sender(self) -> str:
        """The address that it comes from, as Twilio writes it."""
        return self._address(self.number if self.inbound else self.ours)

    def _address(self, number: str) -> str:
        return f"{WHATSAPP}{number}" if self.channel == "whatsapp" else number


def attempt_of(callback: str) -> str | None:
    """What a callback's address says of the attempt."""
    return dict(parse_qsl(urlsplit(callback).query)).get("attempt")


class Phones:
    """All messages by id, oldest first, and what the phones have said about being written to."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[str, PhoneMessage] = OrderedDict()
        self._by_number: OrderedDict[str, OrderedDict[str, PhoneMessage]] = OrderedDict()
        self._stopped: set[tuple[str, str]] = set()
        self._last_words: dict[tuple[str, str], datetime] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[PhoneMessage]:
        return iter(self._messages.values())

    def add(self, message: PhoneMessage) -> None:
        """Keep a message; beyond the capacity the oldest goes."""
        self._messages[message.sid] = message
        self._by_number.setdefault(message.number, OrderedDict())[message.sid] = message
        self._by_number.move_to_end(message.number)
        if len(self._messages) > self._capacity:
            self._forget(next(iter(self._messages)))
        self.version += 1

    def get(self, sid: str) -> PhoneMessage | None:
        """The message of this id, if it is still kept."""
        return self._messages.get(sid)

    def delete(self, sid: str) -> None:
        """Forget a message that is kept."""
        self._forget(sid)
        self.version += 1

    def newest(self, number: str | None = None) -> Iterator[PhoneMessage]:
        """The messages, newest first; of one number if one is given."""
        if number is None:
            return reversed(self._messages.values())
        return reversed(self._by_number.get(number, OrderedDict()).values())

    def knows(self, number: str) -> bool:
        """Whether there is a message to or from this phone."""
        return number in self._by_number

    def numbers(self) -> Iterator[str]:
        """The numbers with a message, the one with the newest first."""
        return reversed(self._by_number)

    def touched(self) -> None:
        """Write down that some message has changed."""
        self.version += 1

    def hear(self, message: PhoneMessage) -> None:
        """Keep what a phone has answered, and what follows from it."""
        self.add(message)
        pair = (message.ours, message.number)
        if message.channel == "whatsapp":
            self._last_words[pair] = message.created_at
        elif (word := message.body.strip().lower()) in _STOP:
            self._stopped.add(pair)
        elif word in _START:
            self._stopped.discard(pair)

    def has_stopped(self, ours: str, number: str) -> bool:
        """Whether the phone wants no more SMS from this sender."""
        return (ours, number) in self._stopped

    def in_window(self, ours: str, number: str, now: datetime) -> bool:
        """Whether the phone has written to this WhatsApp sender within 24 hours."""
        last = self._last_words.get((ours, number))
        return last is not None and now - last < _WINDOW

    def clear(self) -> None:
        """Forget all messages, and who has said what."""
        self._messages.clear()
        self._by_number.clear()
        self._stopped.clear()
        self._last_words.clear()
        self.version += 1

    def _forget(self, sid: str) -> None:
        message = self._messages.pop(sid)
        conversation = self._by_number[message.number]
        del conversation[sid]
        if not conversation:
            del self._by_number[message.number]
