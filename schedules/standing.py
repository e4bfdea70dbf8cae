"""How an entry of the timetable stands: whether it is due, since when, and what became of its last run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from db.queries.schedule import ScheduleRow
    from schedules.timetable import Entry

BEGIN_WITHIN: Final = timedelta(seconds=10)
"""A run that was called must have begun by then: after it, the message is lost and another is called."""

AGAIN_AFTER_ERROR: Final = timedelta(minutes=5)
"""What is due once a day does not wait for a day because the database was away for a second."""

_SILENT_PERIODS: Final = 3
_SILENT_LEAST: Final = timedelta(seconds=30)
"""A restart of all workers is no silence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry at one moment.

    Attributes:
        entry: Which.
        row: What the database has of it; None where no tick has seen it yet.
        next_at: When it is due next; None where nobody has seen it yet. In the past where it is due.
        late: For how long it has been due; nothing while it runs.
        called: Whether a run is called or under way.
        running: Whether one is under way.
        broken_off: Whether the last one was told to stop, or its worker is dead.
    """

    entry: Entry
    row: ScheduleRow | None
    next_at: datetime | None
    late: timedelta
    called: bool
    running: bool
    broken_off: bool

    @property
    def overdue(self) -> bool:
        """Whether it is later than a lost message explains."""
        return self.late > BEGIN_WITHIN

    @property
    def patience(self) -> timedelta:
        """How late it may be before nobody seems to tick, or to work the runs off."""
        return max(_SILENT_PERIODS * self.entry.when.period, _SILENT_LEAST)

    @property
    def silent(self) -> bool:
        """Whether it is later than that."""
        return self.late > self.patience


def standing(entry: Entry, row: ScheduleRow | None, now: datetime) -> Standing:
    """How an entry stands.

    Args:
        entry: Which.
        row: What the database has of it, if anything.
        now: The time, aware, UTC.
    """
    if row is None:
        return Standing(entry, None, None, timedelta(0), called=False, running=False, broken_off=False)
    called = row.held(now)
    running = called and row.claim is None
    broken_off = row.run is not None and not running
    expected = entry.when.next_after(row.started_at or row.since, now)
    if row.error is not None and row.finished_at is not None and row.run is None:
        expected = min(expected, row.finished_at + AGAIN_AFTER_ERROR)
    return Standing(
        entry=entry,
        row=row,
        next_at=min(expected, row.lease_until) if broken_off and row.lease_until else expected,
        late=timedelta(0) if running else max(now - expected, timedelta(0)),
        called=called,
        running=running,
        broken_off=broken_off,
    )


def is_due(at: Standing, now: datetime) -> bool:
    """Whether a run is to be called."""
    return not at.called and at.next_at is not None and at.next_at <= now
