"""When a reminder that could not be sent is tried again, and when it waits for a person."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from providers.errors import Misconfigured, ProviderError, RateLimited
from services.payments.sending import Result, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from db.queries.reminder_queue import ClaimedReminder

log = logging.getLogger(__name__)

PARK_AFTER: Final = 12
"""Tries. With the pauses between them Stripe may be away for two hours."""

PAUSE_FIRST: Final = timedelta(seconds=15)
PAUSE_MOST: Final = timedelta(minutes=30)
REFUSED_FOR: Final = timedelta(minutes=1)
"""So long everything waits where Stripe refuses the key."""

MOVED_FOR: Final = timedelta(seconds=10)


def wait(answers: Iterable[Sent | Exception | None], now: datetime) -> datetime | None:
    """Until when nobody need ask Stripe for anything; None where it answers."""
    waits: list[datetime] = []
    for answer in answers:
        match answer:
            case Misconfigured():
                log.error("Stripe refuses the key (%s); reminders wait for a minute", answer.code)
                waits.append(now + REFUSED_FOR)
            case RateLimited():
                log.warning("Stripe takes no more for %.1f s (%s)", answer.retry_after, answer.code)
                waits.append(now + timedelta(seconds=answer.retry_after))
    return max(waits, default=None)


def later(
    one: ClaimedReminder,
    answer: Sent | Exception | None,
    now: datetime,
    until: datetime | None,
    jitter: Callable[[], float],
) -> dict[str, object] | None:
    """The row of a reminder that is to be tried later, as ``reminder_queue.later`` wants it.

    Args:
        one: The reminder.
        answer: What became of it; None where it was not begun.
        now: UTC.
        until: Until when everything waits, as ``wait`` says.
        jitter: Gives a number in [0, 1).

    Returns:
        None where nothing is left to be done.
    """
    match answer:
        case None:
            return _row(one, now)
        case Sent():
            return _row(one, now + MOVED_FOR) if answer.result is Result.MOVED else None
        case RateLimited() | Misconfigured():
            return _row(one, until or now, error=answer.code)
    why, park = told(answer), one.tries + 1 >= PARK_AFTER
    log.log(
        logging.ERROR if park else logging.WARNING,
        "order %s: reminder %d could not be sent: %s%s",
        *(one.order_id, one.number, why, "; parked" if park else ""),
    )
    pause = min(PAUSE_MOST, PAUSE_FIRST * 2**one.tries) * (0.5 + jitter() / 2)
    return _row(one, now + pause, error=why) | {"tries": one.tries + 1, "park": park}


def told(error: Exception) -> str:
    """What may be written down of an error: the database's own words may quote rows."""
    return error.code if isinstance(error, ProviderError) else type(error).__name__


def _row(one: ClaimedReminder, due_at: datetime, error: str | None = None) -> dict[str, object]:
    row = {"order_id": one.order_id, "number": one.number, "due_at": due_at}
    return row | {"tries": one.tries, "error": error, "park": False}
