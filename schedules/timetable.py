"""The timetable. Every entry may run late, twice, or on two machines at once without harm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING

from schedules.when import Daily, Every

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from schedules.when import When


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is done again and again.

    Attributes:
        name: What it is called by: the job of the same name does it.
        when: When it is due.
        words: What it does, for people.
        queue: Where its runs are published.
        lease: How long a run is left alone after it last asked whether to stop; then its worker is taken for
            dead, and the entry is due again.
    """

    name: str
    when: When
    words: str
    queue: str = "maintenance"
    lease: timedelta = timedelta(minutes=1)


def timetable(reminders_at: time = time(9)) -> Sequence[Entry]:
    """All entries.

    Args:
        reminders_at: When reminders of unpaid orders go out, UTC.
    """
    return (
        # Notifications.
        Entry("wake-queues", Every(5), "wake the queues that have something due"),
        Entry("route-notifications", Every(2), "give deliveries to notifications that have none"),
        Entry("queue-forgotten", Every(30), "queue what the triggers have missed"),
        Entry("put-down-questions", Every(30), "have providers asked about what nobody has heard of"),
        # Payments.
        Entry("look-after-links", Every(20), "mail payment links, remind of them, close those that ran out"),
        Entry(
            "reconcile",
            Every(600),
            "ask Stripe what no webhook has told, and what became of orders that wait to be paid",
            queue="reconcile",
            lease=timedelta(minutes=5),
        ),
        Entry(
            "compare-payments",
            Daily(time(4, 30)),
            "compare Stripe's payments and refunds with the orders",
            queue="reconcile",
            lease=timedelta(minutes=5),
        ),
        Entry(
            "send-reminders",
            Daily(reminders_at),
            "remind of unpaid orders, and give up those reminded enough",
        ),
        # Housekeeping.
        Entry("forget-links", Every(3600), "forget links that expired a month ago"),
        Entry("retire-callbacks", Daily(time(3, 30)), "delete old callbacks that were worked off"),
    )


class TimetableError(Exception):
    """The timetable has a hole; the text says which."""


def check(entries: Sequence[Entry], jobs: Collection[str], queues: Collection[str]) -> None:
    """Make sure that timetable and jobs name the same, each once, on queues that there are.

    Raises:
        TimetableError: They don't.
    """
    names = [entry.name for entry in entries]
    problems = [
        *(f"{name} is in it twice" for name in sorted({n for n in names if names.count(n) > 1})),
        *(f"{name} has no job" for name in sorted({*names} - {*jobs})),
        *(f"the job {name} has no entry" for name in sorted({*jobs} - {*names})),
        *(f"{e.name} is for {e.queue}, which is no queue" for e in entries if e.queue not in queues),
    ]
    if problems:
        raise TimetableError(f"The timetable does not hold together: {'; '.join(problems)}.")
