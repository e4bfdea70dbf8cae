"""What the metrics tell of the database: one picture of one moment, by indexes and small tables only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.queries import queues

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

    from db.queries.queues import QueueState

LAST_HOUR = timedelta(hours=1)
LAST_DAY = timedelta(days=1)

PATIENCE_MILLISECONDS = 5000
"""No question of the metrics' may keep the database busy for longer."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a kind there are.

    Attributes:
        labels: What kind, in the order that the figure's description names.
        count: How many.
    """

    labels: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One picture of one moment.

    Attributes:
        queues: Every queue's counts and the age of its oldest due row.
        pauses: By channel, kind and code: 1 for each channel that is paused.
        attempts: Those opened in the last hour, by channel, outcome (``OPEN`` while unknown) and code.
        receipts: Of the attempts opened in the last day, by channel and state; ``NONE`` for an accepted
            message of which nothing was told yet.
        lookups: Open ones, by kind.
        fallbacks: Those decided in the last day, by the channel given up, the one taken and the reason.
        unseen_codes: How often ever, by provider, code and what it was taken as.
        findings: Those that nobody has resolved, by kind.
        settled: Payments settled in the last day, by how they were learned of.
    """

    queues: Sequence[QueueState]
    pauses: Sequence[Count]
    attempts: Sequence[Count]
    receipts: Sequence[Count]
    lookups: Sequence[Count]
    fallbacks: Sequence[Count]
    unseen_codes: Sequence[Count]
    findings: Sequence[Count]
    settled: Sequence[Count]


_PATIENCE = text("select set_config('statement_timeout', :milliseconds, true)")

_PAUSES = text("select channel, kind, code, 1 from fleet.channels where paused_until > :now")

_ATTEMPTS = text("""
    select channel, coalesce(outcome, 'OPEN'), coalesce(code, ''), count(*)
    from fleet.attempts where opened_at > :hour_ago
    group by 1, 2, 3
""")

_RECEIPTS = text("""
    select a.channel, coalesce(r.state, 'NONE'), count(*)
    from fleet.attempts a
    left join fleet.receipts r using (token)
    where a.opened_at > :day_ago and (r.token is not null or a.outcome = 'ACCEPTED')
    group by 1, 2
""")

_LOOKUPS = text("select kind, count(*) from fleet.lookups group by 1")

_FALLBACKS = text("""
    select from_channel, to_channel, reason, count(*)
    from fleet.fallbacks where decided_at > :day_ago
    group by 1, 2, 3
""")

_UNSEEN_CODES = text("select provider, code, taken_as, seen from fleet.unseen_codes")

_FINDINGS = text("select kind, count(*) from fleet.findings where resolved_at is null group by 1")

_SETTLED = text("select learned, count(*) from fleet.settlements where settled_at > :day_ago group by 1")


def take(session: Session, now: datetime) -> Figures:
    """Take the picture, in a transaction of its own that reads one snapshot.

    Raises:
        sqlalchemy.exc.OperationalError: The database is away, or took longer than ``PATIENCE_MILLISECONDS``.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(_PATIENCE, {"milliseconds": str(PATIENCE_MILLISECONDS)})
    moments = {"now": now, "hour_ago": now - LAST_HOUR, "day_ago": now - LAST_DAY}

    def counted(statement: TextClause) -> list[Count]:
        return [Count(tuple(row[:-1]), row[-1]) for row in session.execute(statement, moments)]

    return Figures(
        queues=queues.states(session, now),
        pauses=counted(_PAUSES),
        attempts=counted(_ATTEMPTS),
        receipts=counted(_RECEIPTS),
        lookups=counted(_LOOKUPS),
        fallbacks=counted(_FALLBACKS),
        unseen_codes=counted(_UNSEEN_CODES),
        findings=counted(_FINDINGS),
        settled=counted(_SETTLED),
    )
