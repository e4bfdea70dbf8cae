from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest

from db.queries.schedule import ScheduleRow
from schedules.standing import is_due, standing
from schedules.timetable import Entry, TimetableError, check, timetable
from schedules.when import Daily, Every
from tasks.wakeups import QUEUES

NOW = datetime(2026, 11, 22, 15, 0, 3, tzinfo=UTC)
OFTEN = Entry("often", Every(5), "now and again")
DAILY = Entry("daily", Daily(time(9)), "once a day")


def test_the_timetable_holds_together() -> None:
    entries = timetable()
    check(entries, {entry.name for entry in entries}, QUEUES)


@pytest.mark.parametrize(
    ("entries", "jobs", "told"),
    [
        ([OFTEN], [], "often has no job"),
        ([], ["often"], "the job often has no entry"),
        ([OFTEN, OFTEN], ["often"], "often is in it twice"),
        (
            [Entry("often", Every(5), "", queue="nowhere")],
            ["often"],
            "often is for nowhere, which is no queue",
        ),
    ],
    ids=["no job", "no entry", "twice", "no queue"],
)
def test_a_hole_is_told(entries: list[Entry], jobs: list[str], told: str) -> None:
    with pytest.raises(TimetableError, match=told):
        check(entries, jobs, QUEUES)


def row(**values: object) -> ScheduleRow:
    empty = dict.fromkeys(
        ("claim", "run", "lease_until", "started_at", "finished_at", "took", "result", "error")
    )
    known = {"name": "some", "since": NOW - timedelta(days=9), "runs": 0}
    return ScheduleRow(**(empty | known | values))  # type: ignore[arg-type]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ended(seconds: float, **values: object) -> ScheduleRow:
    """A run that began and ended so long ago."""
    return row(started_at=ago(seconds), finished_at=ago(seconds), took=timedelta(0), **values)


def test_nothing_is_due_that_no_tick_has_seen() -> None:
    at = standing(OFTEN, None, NOW)
    assert (at.next_at, at.silent, is_due(at, NOW)) == (None, False, False)


def test_the_first_run_comes_at_the_first_time_after_the_entry_did() -> None:
    at = standing(DAILY, row(since=NOW), NOW)
    assert at.next_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert not is_due(at, NOW)


def test_a_day_missed_is_one_run_late() -> None:
    at = standing(DAILY, ended(2 * 86400), NOW)
    assert at.next_at == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert is_due(at, NOW)
    assert (at.overdue, at.silent) == (True, False)
    assert not is_due(standing(DAILY, ended(0), NOW), NOW)


@pytest.mark.parametrize(
    ("seconds", "overdue", "silent"),
    [(4, False, False), (9, False, False), (20, True, False), (41, True, True)],
)
def test_how_late_is_told(seconds: float, overdue: bool, silent: bool) -> None:  # noqa: FBT001 - expected
    at = standing(OFTEN, ended(seconds), NOW)
    assert (at.overdue, at.silent) == (overdue, silent)


def test_three_missed_days_are_silence() -> None:
    assert standing(DAILY, ended(4.5 * 86400), NOW).silent
    assert not standing(DAILY, ended(3.2 * 86400), NOW).silent


def test_a_run_under_way_is_not_late_however_long_it_takes() -> None:
    at = standing(OFTEN, row(started_at=ago(600), run=uuid4(), lease_until=NOW + timedelta(seconds=1)), NOW)
    assert (at.running, at.overdue, is_due(at, NOW)) == (True, False, False)


def test_a_run_whose_lease_is_over_is_due_at_once() -> None:
    dead = row(started_at=ago(30), finished_at=ago(90000), took=timedelta(0), run=uuid4(), lease_until=ago(1))
    at = standing(DAILY, dead, NOW)
    assert (at.running, at.broken_off, is_due(at, NOW)) == (False, True, True)


def test_a_call_that_nobody_takes_keeps_being_late() -> None:
    called = row(started_at=ago(100), claim=uuid4(), lease_until=NOW + timedelta(seconds=9))
    at = standing(OFTEN, called, NOW)
    assert (at.called, at.running, is_due(at, NOW)) == (True, False, False)
    assert at.silent


def test_what_failed_is_due_again_before_its_time() -> None:
    assert not is_due(standing(DAILY, ended(299, error="OperationalError"), NOW), NOW)
    assert is_due(standing(DAILY, ended(301, error="OperationalError"), NOW), NOW)
    assert standing(OFTEN, ended(0, error="OperationalError"), NOW).next_at == NOW + timedelta(seconds=2)
