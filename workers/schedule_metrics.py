"""How late the timetable's entries are, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from schedules.standing import standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric

    from db.queries.schedule import ScheduleRow
    from schedules.timetable import Entry


def lateness(entries: Sequence[Entry], rows: Mapping[str, ScheduleRow], now: datetime) -> Iterator[Metric]:
    """Give for each entry how late it is and may be, and whether it failed; nothing of what no tick has seen.

    Args:
        entries: The timetable.
        rows: The last runs, by the entries' names.
        now: The time, aware, UTC.
    """
    late = GaugeMetricFamily(
        "fleet_schedule_late_seconds",
        "For how long an entry of the timetable has been due; 0 while it runs",
        labels=["entry"],
    )
    warning = GaugeMetricFamily(
        "fleet_schedule_late_seconds_warning",
        "How late it may be: later, and nobody ticks, or nobody works the runs off",
        labels=["entry"],
    )
    failed = GaugeMetricFamily(
        "fleet_schedule_failed", "1 where the last run of an entry ended with an error", labels=["entry"]
    )
    for entry in entries:
        if entry.name in rows:
            at = standing(entry, rows[entry.name], now)
            late.add_metric([entry.name], at.late.total_seconds())
            warning.add_metric([entry.name], at.patience.total_seconds())
            failed.add_metric([entry.name], rows[entry.name].error is not None)
    yield from (late, warning, failed)
