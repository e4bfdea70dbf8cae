"""How late the timetable is, for Prometheus: nothing of what nobody has seen, and each entry's own limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from db.queries.schedule import ScheduleRow
from schedules.timetable import timetable
from workers.schedule_metrics import lateness

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
SEEN = ScheduleRow(
    name="wake-queues",
    since=NOW - timedelta(seconds=65),
    claim=None,
    run=None,
    lease_until=None,
    started_at=None,
    finished_at=None,
    took=None,
    result=None,
    error=None,
    runs=0,
)


def told(*rows: ScheduleRow, reminders_at: time = time(9)) -> dict[tuple[str, str], float]:
    families = lateness(timetable(reminders_at), {row.name: row for row in rows}, NOW)
    return {(s.name, s.labels["entry"]): s.value for family in families for s in family.samples}


def test_of_what_no_tick_has_seen_nothing_is_told() -> None:
    assert told() == {}
    assert told(replace(SEEN, name="of another release")) == {}


def test_each_entry_is_told_with_its_limit() -> None:
    daily = replace(
        SEEN, name="compare-payments", started_at=NOW - timedelta(hours=1), error="OperationalError"
    )
    assert told(SEEN, daily) == {
        ("fleet_schedule_late_seconds", "wake-queues"): 60,
        ("fleet_schedule_late_seconds_warning", "wake-queues"): 30,
        ("fleet_schedule_late_seconds", "compare-payments"): 0,
        ("fleet_schedule_late_seconds_warning", "compare-payments"): 3 * 86400,
        ("fleet_schedule_failed", "wake-queues"): 0,
        ("fleet_schedule_failed", "compare-payments"): 1,
    }


def test_reminders_are_late_by_the_hour_that_is_set() -> None:
    yesterday = replace(SEEN, name="send-reminders", started_at=NOW - timedelta(hours=23))
    late = ("fleet_schedule_late_seconds", "send-reminders")
    assert told(yesterday, reminders_at=time(12))[late] == 30
    assert told(yesterday, reminders_at=time(13))[late] == 0
