"""What the metrics tell of the database: one picture of one moment, by indexes and small tables only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.queries import queues, schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

    from db.queries.queues import QueueState
    from db.queries.schedule import ScheduleRow

LAST_HOUR = timedelta(hours=1)
LAST_DAY = timedelta(days=1)
LAST_MONTH = timedelta(days=30)

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
        unseen_lately: 1 for each of these that was met in the last day.
        oldest_open: By channel, for how many seconds the outcome of the oldest send has been unknown.
        oldest_callback: By provider, for how many seconds the oldest callback that is neither worked off nor
            parked has been there: through no fault of its own it may be put off again and again.
        findings: Those that nobody has resolved, by kind.
        settled: Payments settled in the last day, by how they were learned of.
        reminders: Of those sent in the last 30 days, how many in all (``SENT``), followed and paid.
        schedule: The last runs of the timetable's entries, by name.
    """

    queues: Sequence[QueueState]
    pauses: Sequence[Count]
    attempts: Sequence[Count]
    receipts: Sequence[Count]
    lookups: Sequence[Count]
    fallbacks: Sequence[Count]
    unseen_codes: Sequence[Count]
    unseen_lately: Sequence[Count]
    oldest_open: Sequence[Count]
    oldest_callback: Sequence[Count]
    findings: Sequence[Count]
    settled: Sequence[Count]
    reminders: Sequence[Count]
    schedule: Mapping[str, ScheduleRow]


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

_UNSEEN_LATELY = text("select provider, code, taken_as, 1 from fleet.unseen_codes where last_seen > :day_ago")

# Through the index that keeps a delivery from having two open attempts: it holds the open ones alone.
_OLDEST_OPEN = text("""
    select channel, cast(extract(epoch from :now - min(opened_at)) as int)
    from fleet.attempts where closed_at is null
    group by 1
""")

_OLDEST_CALLBACK = text("""
    select provider, cast(extract(epoch from :now - min(received_at)) as int)
    from fleet.inbox where handled_at is null and parked_at is null
    group by 1
""")

_FINDINGS = text("select kind, count(*) from fleet.findings where resolved_at is null group by 1")

_SETTLED = text("select learned, count(*) from fleet.settlements where settled_at > :day_ago group by 1")

_REMINDERS = text("""
    select told.state, told.count
    from (
      select count(*) as sent, count(clicked_at) as clicked, count(paid_at) as paid
      from fleet.reminders where state = 'SENT' and sent_at > :month_ago
    ) r, lateral (values ('SENT', sent), ('CLICKED', clicked), ('PAID', paid)) told (state, count)
""")


def take(session: Session, now: datetime) -> Figures:
    """Take the picture, in a transaction of its own that reads one snapshot.

    Raises:
        sqlalchemy.exc.OperationalError: The database is away, or took longer than ``PATIENCE_MILLISECONDS``.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(_PATIENCE, {"milliseconds": str(PATIENCE_MILLISECONDS)})
    spans = {"hour_ago": LAST_HOUR, "day_ago": LAST_DAY, "month_ago": LAST_MONTH}
    moments = {"now": now} | {name: now - span for name, span in spans.items()}

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
        unseen_lately=counted(_UNSEEN_LATELY),
        oldest_open=counted(_OLDEST_OPEN),
        oldest_callback=counted(_OLDEST_CALLBACK),
        findings=counted(_FINDINGS),
        settled=counted(_SETTLED),
        reminders=counted(_REMINDERS),
        schedule=schedule.read(session),
    )
