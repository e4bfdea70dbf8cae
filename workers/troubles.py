"""What is wrong with the fleet's work, by the conditions of the alerts: the same names, the same limits.

``docs/monitoring/fleet.rules.yml`` has the same for Prometheus, and ``docs/runbook.md`` what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schedules.standing import standing
from services.payments.words import Learned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from db.queries.figures import Count, Figures
    from db.queries.schedule import ScheduleRow
    from schedules.timetable import Entry

CALLBACK_SECONDS: Final = 600
"""A callback that is still not worked off by then waits for something to be mended."""

UNKNOWN_SECONDS: Final = 1800
"""Twice as long as an unknown outcome waits for evidence, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that somebody should look at.

    Attributes:
        alert: The alert's name, a heading of the runbook.
        about: Which queue, channel, code or entry; empty where there is only one.
        told: What is the matter.
    """

    alert: str
    about: str
    told: str

    @property
    def runbook(self) -> str:
        """Where it says what to do."""
        return f"docs/runbook.md#{self.alert.lower()}"


def troubles(
    found: Figures,
    now: datetime,
    entries: Sequence[Entry],
    oldest_due_seconds: float,
    poll_share: float,
) -> list[Trouble]:
    """Name all that is wrong.

    Args:
        found: The picture.
        now: When it was taken, aware, UTC.
        entries: The timetable.
        oldest_due_seconds: How old due work may be.
        poll_share: The share of payments learned by asking above which Stripe's webhooks are to be looked at.
    """
    return [
        *_late_queues(found, oldest_due_seconds),
        *_providers(found),
        *_money(found, poll_share),
        *_schedule(entries, found.schedule, now),
    ]


def polled_share(settled: Sequence[Count]) -> float:
    """Of payments settled, what the fleet had to ask for; where nothing was settled, nothing was missed.

    Args:
        settled: Counts by how they were learned of.
    """
    by_way = {learned: count.count for count in settled for learned in count.labels}
    return sum(by_way.get(way, 0) for way in (Learned.POLL, Learned.CHECK)) / (sum(by_way.values()) or 1)


def _late_queues(found: Figures, limit: float) -> Iterator[Trouble]:
    for queue in found.queues:
        age = queue.oldest_due_seconds or 0.0
        if age > limit:
            told = f"{queue.due} due, the oldest for {age:.0f} s (limit {limit:g} s)"
            yield Trouble("FleetWorkIsLate", queue.queue, told)
        if queue.parked:
            yield Trouble("FleetDeadLetters", queue.queue, f"{queue.parked} parked")
    for (provider,), seconds in _pairs(found.oldest_callback):
        if seconds > CALLBACK_SECONDS:
            told = f"a callback is not worked off after {seconds} s (limit {CALLBACK_SECONDS} s)"
            yield Trouble("FleetCallbacksWait", provider, told)


def _providers(found: Figures) -> Iterator[Trouble]:
    for (channel, kind, code), _ in _pairs(found.pauses):
        if kind == "MISCONFIGURED":
            told = f"paused: its provider refuses us with {code}"
            yield Trouble("FleetProviderMisconfigured", channel, told)
    for (provider, code, taken_as), _ in _pairs(found.unseen_lately):
        told = f"in no table of codes, taken as {taken_as}; met in the last day"
        yield Trouble("FleetUnseenCode", f"{provider} {code}", told)
    for (channel,), seconds in _pairs(found.oldest_open):
        if seconds > UNKNOWN_SECONDS:
            told = f"an outcome has been unknown for {seconds} s (limit {UNKNOWN_SECONDS} s)"
            yield Trouble("FleetUnknownOutcomes", channel, told)
    for channel, count in _without_evidence(found).items():
        told = f"{count} sends in the last hour ended without any evidence, and were made again"
        yield Trouble("FleetNoEvidence", channel, told)


def _without_evidence(found: Figures) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for (channel, outcome, _), count in _pairs(found.attempts):
        if outcome == "NO_EVIDENCE":
            counts[channel] = counts.get(channel, 0) + count
    return counts


def _money(found: Figures, poll_share: float) -> Iterator[Trouble]:
    for (kind,), count in _pairs(found.findings):
        yield Trouble("FleetFindingsOpen", kind, f"{count} that nobody has resolved")
    share = polled_share(found.settled)
    if share > poll_share:
        told = f"{share:.0%} of the last day's payments were told by no webhook (limit {poll_share:.0%})"
        yield Trouble("FleetPaymentsPolled", "stripe", told)


def _schedule(entries: Sequence[Entry], rows: Mapping[str, ScheduleRow], now: datetime) -> Iterator[Trouble]:
    if not rows:
        yield Trouble("FleetBeatSilent", "", "no tick has ever come")
    for entry in entries:
        at = standing(entry, rows.get(entry.name), now)
        if at.silent:
            late, limit = at.late.total_seconds(), at.patience.total_seconds()
            yield Trouble("FleetBeatSilent", entry.name, f"overdue by {late:.0f} s (limit {limit:.0f} s)")
        if at.row is not None and at.row.error is not None:
            yield Trouble("FleetRunFails", entry.name, f"its last run failed with {at.row.error}")


def _pairs(counts: Sequence[Count]) -> Iterator[tuple[tuple[str, ...], int]]:
    for count in sorted(counts, key=lambda each: each.labels):
        yield count.labels, count.count
