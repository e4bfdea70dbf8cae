"""What the operators' overview shows: one picture of one moment, bounded by indexes and by time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from db.queries import channels, dead_letters, queues, schedule
from db.queries.dead_letters import Meant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.channels import Pause
    from db.queries.queues import QueueHead
    from db.queries.schedule import ScheduleRow

LAST_HOUR: Final = timedelta(hours=1)
LAST_DAY: Final = timedelta(days=1)
LAST_MONTH: Final = timedelta(days=30)

COUNTED: Final = 1000
"""So many dead letters and unknown outcomes are counted, and no more."""

PATIENCE_MILLISECONDS: Final = 3000
"""A page that nobody waits for any longer does not keep the database busy."""

COUNTING_MILLISECONDS: Final = 20_000
"""Nor does counting the tries of an hour, for which nobody waits."""

STATES: Final = ("delivered", "sent", "later", "unknown", "failed")
"""What became of a try: arrived; accepted; to be made again; not known yet; refused, failed or bounced."""

STATE: Final = """
      case when r.state in ('FAILED', 'BOUNCED') or a.outcome in ('REFUSED', 'NOT_SENT') then 'failed'
        when r.state in ('DELIVERED', 'OPENED', 'CLICKED') then 'delivered'
        when a.outcome is null then 'unknown'
        when a.outcome = 'ACCEPTED' then 'sent'
        else 'later' end"""
"""The same in SQL, of an attempt ``a`` and its receipt ``r``, if it has one."""

CODE: Final = """
      case when r.state in ('FAILED', 'BOUNCED') then coalesce(r.code, r.state)
        when a.outcome <> 'ACCEPTED' then coalesce(a.code, a.outcome) else '' end"""
"""Why it failed or was put off, in SQL; else empty."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How many tries of one minute had one end.

    Attributes:
        channel: On which channel.
        minute: When the minute began, in seconds since 1970.
        state: One of ``STATES``.
        code: Why it failed or was put off; else empty.
        count: How many.
    """

    channel: str
    minute: int
    state: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Tries of a channel whose outcome nobody knows, and that no worker is just making.

    Attributes:
        channel: On which channel.
        count: How many, counted up to ``COUNTED``.
        oldest_seconds: How long the oldest has been open.
    """

    channel: str
    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of one moment.

    Attributes:
        at: The moment.
        queues: The head of every queue.
        unknown: Open outcomes.
        parked: Dead letters by queue, ``COUNTED`` at most in all.
        pauses: Channels that are paused.
        settled: Payments settled in the last day, by how they were learned of.
        reminders: Of those sent in the last 30 days: ``sent``, ``clicked``, ``paid``.
        findings: Those that nobody has resolved, by kind.
        schedule: The timetable's last runs, by name.
    """

    at: datetime
    queues: Sequence[QueueHead]
    unknown: Sequence[Unknown]
    parked: Mapping[str, int]
    pauses: Sequence[Pause]
    settled: Mapping[str, int]
    reminders: Mapping[str, int]
    findings: Mapping[str, int]
    schedule: Mapping[str, ScheduleRow]


_PATIENCE = text("select set_config('statement_timeout', :milliseconds, true)")
_TRIED = text(f"""
    select a.channel, extract(epoch from date_trunc('minute', a.opened_at))::bigint as minute,
      {STATE} as state, {CODE} as code, count(*) as count
    from fleet.attempts a
    left join fleet.receipts r using (token)
    where a.opened_at > :hour_ago
    group by 1, 2, 3, 4
""")  # noqa: S608 - our own words
_UNKNOWN = text("""
    select channel, count(*) as count, extract(epoch from :now - min(opened_at))::float8 as oldest_seconds
    from (
      select a.channel, a.opened_at
      from fleet.attempts a
      left join fleet.dispatch q on q.delivery_id = a.delivery_id
      where a.closed_at is null and (q.lease_until is null or q.lease_until <= :now)
      limit :counted
    ) open
    group by channel order by channel
""")
_SETTLED = text("""
    select learned, count(*) as count from fleet.settlements where settled_at > :day_ago group by 1
""")
_REMINDERS = text("""
    select count(*) as sent, count(clicked_at) as clicked, count(paid_at) as paid
    from fleet.reminders where state = 'SENT' and sent_at > :month_ago
""")
_FINDINGS = text("""
    select kind, count(*) as count from fleet.findings where resolved_at is null group by 1 order by 1
""")


def take(session: Session, channels_worked: Sequence[str], now: datetime) -> Picture:
    """Take the picture, in a transaction of its own that reads one snapshot.

    Args:
        session: Nothing was asked of it yet.
        channels_worked: The channels that are worked off.
        now: The time, aware.

    Raises:
        sqlalchemy.exc.OperationalError: The database is away, or took longer than ``PATIENCE_MILLISECONDS``.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(_PATIENCE, {"milliseconds": str(PATIENCE_MILLISECONDS)})
    moments = {"day_ago": now - LAST_DAY, "month_ago": now - LAST_MONTH}
    unknown = session.execute(_UNKNOWN, {"now": now, "counted": COUNTED}).mappings()
    return Picture(
        at=now,
        queues=queues.heads(session, list(channels_worked), now),
        unknown=[Unknown(**row) for row in unknown],
        parked=Counter(letter.queue for letter in dead_letters.find(session, Meant(), COUNTED)),
        pauses=[each for each in channels.pauses(session) if each.paused_until > now],
        settled=dict(map(tuple, session.execute(_SETTLED, moments))),
        reminders=dict(session.execute(_REMINDERS, moments).mappings().one()),
        findings=dict(map(tuple, session.execute(_FINDINGS))),
        schedule=schedule.read(session),
    )


def tried(session: Session, now: datetime) -> list[Tried]:
    """Count the tries of the last hour, in a transaction of its own; its time grows with their number.

    Raises:
        sqlalchemy.exc.OperationalError: The database is away, or took longer than ``COUNTING_MILLISECONDS``.
    """
    session.execute(_PATIENCE, {"milliseconds": str(COUNTING_MILLISECONDS)})
    return [Tried(**row) for row in session.execute(_TRIED, {"hour_ago": now - LAST_HOUR}).mappings()]
