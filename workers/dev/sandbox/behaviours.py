"""What becomes of a message by whom it goes to: told by the control API, or by the address itself.

A number says it by its last four digits (99 and two more), an e-mail address by a tag, ``camille+bounce@``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from workers.dev.sandbox.wire import Behaviour, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.dev.sandbox.wire import Conduct, MessageChannel

_ENDING = 4


def _refuse(code: int, channel: MessageChannel | None = None) -> Behaviour:
    return Behaviour(to="*", does="refuse", code=code, channel=channel)


def _fail(code: int, channel: MessageChannel | None = None) -> Behaviour:
    return Behaviour(to="*", does="fail", code=code, channel=channel)


ENDINGS: Final[dict[str, Behaviour]] = {
    "9903": _refuse(63003, "whatsapp"),
    "9908": _refuse(21408, "sms"),
    "9910": _refuse(21610, "sms"),
    "9911": _refuse(21211),
    "9914": _refuse(21614, "sms"),
    "9916": _fail(63016, "whatsapp"),
    "9924": _fail(63024, "whatsapp"),
    "9949": _fail(63049, "whatsapp"),
    "9930": _fail(30003, "sms"),
    "9935": _fail(30005, "sms"),
    "9936": _fail(30036),
    "9950": Behaviour(to="*", does="stuck"),
    "9951": Behaviour(to="*", does="silent"),
    "9952": Behaviour(to="*", does="late", seconds=60),
    # WhatsApp takes it and never brings it; the SMS arrives.
    "9953": Behaviour(to="*", does="stuck", channel="whatsapp"),
}
"""What becomes of messages to numbers that end so."""

FAULTY_ENDINGS: Final[dict[str, Fault]] = {
    "9960": Fault(kind="status", status=500),
    "9961": Fault(kind="status", status=429, retry_after=2),
    "9962": Fault(kind="slow", seconds=5, when="after"),
    "9963": Fault(kind="drop_before"),
    "9964": Fault(kind="drop_after"),
}
"""What every request for numbers that end so meets."""

TAGS: Final[dict[str, Conduct]] = {
    "bounce": "bounce",
    "block": "block",
    "drop": "drop",
    "defer": "defer",
    "open": "open",
    "click": "click",
    "spam": "spam",
    "unsubscribe": "unsubscribe",
    "silent": "silent",
}
"""What becomes of e-mails to addresses with this after a plus sign."""

_USUAL: Final[dict[str, Behaviour]] = {
    "email": Behaviour(to="*", does="deliver"),
    "sms": Behaviour(to="*", does="deliver"),
    "whatsapp": Behaviour(to="*", does="read"),
}


@dataclass(slots=True)
class ActiveBehaviour:
    """A behaviour, with the number of messages that it still holds for; None for all."""

    id: int
    behaviour: Behaviour
    remaining: int | None


class Behaviours:
    """The behaviours that were set; the newest that fits is taken, and goes before what the address says."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._active: list[ActiveBehaviour] = []

    def __iter__(self) -> Iterator[ActiveBehaviour]:
        return iter(self._active)

    def add(self, behaviour: Behaviour) -> ActiveBehaviour:
        """Set a behaviour."""
        active = ActiveBehaviour(next(self._ids), behaviour, behaviour.count)
        self._active.append(active)
        return active

    def take(self, channel: MessageChannel, address: str) -> Behaviour:
        """What becomes of a message to this address; where a behaviour has a count, one of it is used up."""
        for active in reversed(self._active):
            if active.behaviour.to == address and _fits(active.behaviour, channel):
                if active.remaining is not None:
                    active.remaining -= 1
                    if not active.remaining:
                        self._active.remove(active)
                return active.behaviour
        return _told_by_email(address) if channel == "email" else _told_by_number(channel, address)

    def clear(self) -> None:
        """Forget what was set."""
        self._active.clear()


def fault_of_number(number: str) -> Fault | None:
    """What a request for this number meets because of its last digits."""
    return FAULTY_ENDINGS.get(number[-_ENDING:])


def _fits(behaviour: Behaviour, channel: MessageChannel) -> bool:
    return behaviour.channel in {None, channel}


def _told_by_number(channel: MessageChannel, number: str) -> Behaviour:
    told = ENDINGS.get(number[-_ENDING:])
    return told if told is not None and _fits(told, channel) else _USUAL[channel]


def _told_by_email(address: str) -> Behaviour:
    tag = address.partition("@")[0].rpartition("+")[2]
    does = TAGS.get(tag) if "+" in address else None
    return _USUAL["email"] if does is None else Behaviour(to="*", does=does)
