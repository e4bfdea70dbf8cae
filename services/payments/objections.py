"""Why an order is not to be reminded of now: the rules of the daily run, put to one order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from db.models.enums import OrderStatus
from services.payments.ladder import REST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from db.queries.reminder_history import History
    from services.payments.ladder import ReminderPolicy


_HOURS_SAID: Final = 48
"""Longer ago than that is said in days."""


class Refusal(StrEnum):
    """Why."""

    UNKNOWN = "UNKNOWN"
    NOT_PENDING = "NOT_PENDING"
    ON_ITS_WAY = "ON_ITS_WAY"
    NOT_SUSPENDED = "NOT_SUSPENDED"
    INACTIVE = "INACTIVE"
    ENOUGH = "ENOUGH"
    NOT_YET = "NOT_YET"
    TOO_SOON = "TOO_SOON"
    SKIPPED = "SKIPPED"
    RESTING = "RESTING"


NEVER = frozenset({Refusal.UNKNOWN, Refusal.NOT_PENDING, Refusal.ON_ITS_WAY})
"""What nobody can force."""


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason, and the same in words."""

    refusal: Refusal
    words: str


def objections(history: History, policy: ReminderPolicy, now: datetime) -> Iterator[Objection]:
    """All that speaks against reminding of an order now, the gravest first.

    What the daily run claims has none; what has none is claimed, one order of a person at a time.
    """
    if history.status != OrderStatus.PENDING:
        yield Objection(Refusal.NOT_PENDING, f"the order is {history.status}")
    if history.on_its_way:
        yield Objection(Refusal.ON_ITS_WAY, "a reminder of it is on its way")
    if not history.suspended:
        yield Objection(Refusal.NOT_SUSPENDED, "the person is not SUSPENDED")
    if not history.active:
        yield Objection(Refusal.INACTIVE, f"the product {history.product_code} is not on sale any more")
    ladder = policy.of(history.product_code)
    yield from _on_ladder(history, ladder, policy, now) if ladder else _flat(history, policy, now)
    rested = history.person_reminded_at
    if history.person_waits or (rested is not None and rested > now - REST):
        yield Objection(Refusal.RESTING, "the person is being reminded, or was within 20 hours")


def _on_ladder(
    history: History, ladder: tuple[int, ...], policy: ReminderPolicy, now: datetime
) -> Iterator[Objection]:
    if history.ended:
        yield Objection(Refusal.ENOUGH, "the last reminder of the ladder was sent")
    elif now < (due := history.created_at + timedelta(days=ladder[min(history.number, len(ladder)) - 1])):
        yield Objection(Refusal.NOT_YET, f"its next reminder is due {due:%Y-%m-%d %H:%M} UTC")
    if history.skipped_at is not None and history.skipped_at > now - policy.pause:
        yield Objection(Refusal.SKIPPED, f"a reminder was not sent {_ago(history.skipped_at, now)}")


def _flat(history: History, policy: ReminderPolicy, now: datetime) -> Iterator[Objection]:
    if policy.most is not None and history.number > policy.most:
        yield Objection(Refusal.ENOUGH, f"it was reminded of {policy.most} times, as often as is set")
    if history.reminded_at is not None and history.reminded_at > now - policy.pause:
        days = policy.interval.days
        when = _ago(history.reminded_at, now)
        yield Objection(Refusal.TOO_SOON, f"it was reminded of {when}, and {days} days are to lie between")


def _ago(then: datetime, now: datetime) -> str:
    hours = max(0, int((now - then) / timedelta(hours=1)))
    count, what = (hours // 24, "day") if hours >= _HOURS_SAID else (hours, "hour")
    return f"{count} {what}{'' if count == 1 else 's'} ago"
