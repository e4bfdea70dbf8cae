"""Figures for Prometheus: what the ingress took and refused, and what the database says of the fleet's work.

Labels are names, ids of kinds and providers' codes, never a person's; of a figure with many codes the rarer
ones share the code ``other``.
"""

from __future__ import annotations

import logging
from collections import Counter as Tally
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from db.queries import figures
from workers.kept import Kept
from workers.schedule_metrics import lateness
from workers.troubles import polled_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric
    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.figures import Count, Figures
    from db.queries.queues import QueueState
    from schedules.timetable import Entry

log = logging.getLogger(__name__)

KEPT_SECONDS = 10.0
"""Prometheus asks every 15 s or so; a second scraper costs nothing."""

MOST_SERIES = 200
"""Of one figure that has codes among its labels."""

_ANSWERED_WITHIN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_QUEUE_FIGURES = {
    "due": "Rows whose time has come and that nobody holds",
    "leased": "Rows in workers' hands",
    "waiting": "Rows whose time has not come",
    "unknown": "Rows whose last try has an unknown outcome",
    "parked": "Rows that are left for a person",
}


class IngressMetrics:
    """What one process of the ingress counts by itself.

    Args:
        registry: Where the figures are told.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._callbacks = Counter(
            "fleet_callbacks",
            "Callbacks taken; known ones were stored before",
            ["provider", "news"],
            registry=registry,
        )
        self._refused = Counter(
            "fleet_callback_posts_refused",
            "Posts that were not taken",
            ["provider", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "fleet_callback_answer_seconds",
            "From a post's head to its answer",
            ["provider"],
            registry=registry,
            buckets=_ANSWERED_WITHIN,
        )

    def taken(self, provider: str, new: int, known: int) -> None:
        """Count the callbacks of a post."""
        self._callbacks.labels(provider, "new").inc(new)
        self._callbacks.labels(provider, "known").inc(known)

    def refused(self, provider: str, reason: str) -> None:
        """Count a post that was not taken."""
        self._refused.labels(provider, reason).inc()

    def answered(self, provider: str, seconds: float) -> None:
        """Note how long an answer took."""
        self._seconds.labels(provider).observe(seconds)


class DatabaseMetrics(Collector):
    """What the database says, asked when Prometheus asks, and kept for ``KEPT_SECONDS``.

    Args:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        entries: The timetable.
        poll_share_warning: The share of payments learned by asking from which on Stripe's webhooks are to be
            looked at; told beside the share itself.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Callable[[], datetime],
        entries: Sequence[Entry],
        poll_share_warning: float,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._entries = entries
        self._poll_share_warning = poll_share_warning
        self._kept = Kept(self._take, KEPT_SECONDS)

    def _take(self) -> Figures | None:
        try:
            with self._sessions.begin() as session:
                return figures.take(session, self._clock())
        except SQLAlchemyError as error:
            log.warning("no figures from the database (%s)", type(error).__name__)
            return None

    def collect(self) -> Iterator[Metric]:
        """Called by the registry for each scrape."""
        found = self._kept.get()
        told = GaugeMetricFamily("fleet_database_up", "1 where the database has answered, 0 where it has not")
        told.add_metric([], 0 if found is None else 1)
        yield told
        if found is not None:
            yield from _queues(found.queues)
            yield from (figure.gauge(found) for figure in _GAUGES)
            unseen = CounterMetricFamily(
                "fleet_unseen_codes",
                "Codes of providers that no table of codes lists",
                labels=["provider", "code", "taken_as"],
            )
            for count in _most(found.unseen_codes, 1):
                unseen.add_metric(count.labels, count.count)
            yield unseen
            yield from lateness(self._entries, found.schedule, self._clock())
            yield GaugeMetricFamily(
                "fleet_payments_polled_share",
                "Of the payments settled in the last day, the share that no webhook told of",
                polled_share(found.settled),
            )
            yield GaugeMetricFamily(
                "fleet_payments_polled_share_warning",
                "The share from which on the webhooks are to be looked at",
                self._poll_share_warning,
            )


def _queues(states: Sequence[QueueState]) -> Iterator[Metric]:
    oldest = GaugeMetricFamily(
        "fleet_queue_oldest_due_seconds", "How long the oldest due row has been due", labels=["queue"]
    )
    for state in states:
        oldest.add_metric([state.queue], state.oldest_due_seconds or 0.0)
    yield oldest
    for name, meaning in _QUEUE_FIGURES.items():
        gauge = GaugeMetricFamily(f"fleet_queue_{name}", meaning, labels=["queue"])
        for state in states:
            gauge.add_metric([state.queue], getattr(state, name))
        yield gauge


@dataclass(frozen=True)
class _Figure:
    name: str
    meaning: str
    labels: tuple[str, ...]
    counts: Callable[[Figures], Sequence[Count]]

    def gauge(self, found: Figures) -> Metric:
        gauge = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        counts = self.counts(found)
        code = self.labels.index("code") if "code" in self.labels else None
        for count in counts if code is None else _most(counts, code):
            gauge.add_metric(count.labels, count.count)
        return gauge


_GAUGES = (
    _Figure(
        "fleet_channel_paused", "1 for a paused channel", ("channel", "kind", "code"), lambda f: f.pauses
    ),
    _Figure(
        "fleet_attempts_last_hour",
        "Attempts opened in the last hour; OPEN while the outcome is unknown",
        ("channel", "outcome", "code"),
        lambda f: f.attempts,
    ),
    _Figure(
        "fleet_receipts_last_day",
        "What is known of the messages of the last day; NONE where nothing was told yet",
        ("channel", "state"),
        lambda f: f.receipts,
    ),
    _Figure(
        "fleet_attempt_oldest_open_seconds",
        "For how long the outcome of the oldest open attempt has been unknown",
        ("channel",),
        lambda f: f.oldest_open,
    ),
    _Figure(
        "fleet_callback_oldest_open_seconds",
        "For how long the oldest callback has been there that is neither worked off nor parked",
        ("provider",),
        lambda f: f.oldest_callback,
    ),
    _Figure(
        "fleet_unseen_codes_last_day",
        "1 for each code of a provider that no table of codes lists and that was met in the last day",
        ("provider", "code", "taken_as"),
        lambda f: f.unseen_lately,
    ),
    _Figure("fleet_lookups_open", "Questions to put to a provider", ("kind",), lambda f: f.lookups),
    _Figure(
        "fleet_fallbacks_last_day",
        "Channels that gave way to another in the last day",
        ("from_channel", "to_channel", "reason"),
        lambda f: f.fallbacks,
    ),
    _Figure("fleet_findings_open", "Findings that nobody has resolved", ("kind",), lambda f: f.findings),
    _Figure(
        "fleet_payments_settled",
        "Payments settled in the last day, by how the fleet learned of them",
        ("learned",),
        lambda f: f.settled,
    ),
    _Figure(
        "fleet_reminders_last_month",
        "Reminders sent in the last 30 days: all, those whose link was followed, those that were paid",
        ("state",),
        lambda f: f.reminders,
    ),
)


def _most(counts: Sequence[Count], code: int) -> list[Count]:
    """The same with ``MOST_SERIES`` kinds at most by themselves; the rarer ones share the code ``other``."""
    by_count = sorted(counts, key=lambda count: (-count.count, count.labels))
    tally: Tally[tuple[str, ...]] = Tally()
    for rank, count in enumerate(by_count):
        rare = rank >= MOST_SERIES
        labels = (*count.labels[:code], "other", *count.labels[code + 1 :]) if rare else count.labels
        tally[labels] += count.count
    return [figures.Count(labels, number) for labels, number in tally.items()]


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """All figures of a registry in the format that a scraper asks for.

    Args:
        registry: Whose figures.
        accept: The request's ``Accept``.

    Returns:
        The body and its content type.
    """
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
