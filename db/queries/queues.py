"""What is due, per queue: for the relay's poll, the sweeps and the operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue at one moment; ages in seconds.

    ``waiting`` rows have a due time that has not come: retries, held ones, unknown outcomes among them.
    """

    queue: str
    due: int
    leased: int
    waiting: int
    unknown: int
    parked: int
    oldest_due_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueHead:
    """What a health check asks of one queue: counted up to ``COUNTED``, ages in seconds.

    Attributes:
        queue: Its name.
        due: Rows whose time has come and that nobody holds, whether or not their channel is paused.
        waiting: Rows whose time has not come: retries and unknown outcomes among them.
        oldest_due_seconds: How long the oldest due row has been due.
        pause: Why the channel is paused, where it is: the pause's kind.
        pause_code: The pause's code.
        paused_until: When the pause ends.
    """

    queue: str
    due: int
    waiting: int
    oldest_due_seconds: float | None
    pause: str | None
    pause_code: str | None
    paused_until: datetime | None


COUNTED = 1000
"""As many rows of a queue are counted for a health check, and no more: it is asked every few seconds."""


@dataclass(frozen=True, slots=True)
class _Simple:
    """A queue whose rows are held by the transaction that works them off, so that none is ever leased."""

    name: str
    table: str
    open: str
    parked: str = "parked_at is not null"


_SIMPLE = (
    _Simple("fanout", "fleet.outbox", "parked_at is null"),
    _Simple("notices", "fleet.notices", "told_at is null and parked_at is null"),
    _Simple("advances", "fleet.advances", "parked_at is null"),
    # To remind of an order is to ask Stripe: here, too, the due time is the lease.
    _Simple(
        "reminders",
        "fleet.reminders",
        "state = 'CLAIMED' and parked_at is null",
        "state = 'CLAIMED' and parked_at is not null",
    ),
    # One table, two queues: to work off what Stripe says is to ask Stripe.
    *(
        _Simple(
            name,
            "fleet.inbox",
            f"handled_at is null and parked_at is null and provider {which} 'stripe'",
            f"handled_at is null and parked_at is not null and provider {which} 'stripe'",
        )
        for name, which in (("inbox", "<>"), ("payments", "="))
    ),
)


def _of_all(simple: str, others: str) -> TextClause:
    """One statement: what is asked of each simple queue, and of the others."""
    parts = [
        simple.format(name=queue.name, table=queue.table, open=queue.open, parked=queue.parked)
        for queue in _SIMPLE
    ]
    return text(" union all ".join([*parts, others]))


# A paused channel is not due: a wake-up would find its gate closed.
_DUE = _of_all(
    """
    select '{name}' as queue where exists (
      select from {table} where {open} and due_at <= greatest(:now, now()))
""",
    """
    select 'lookups' where exists (
      select from fleet.lookups
      where due_at <= greatest(:now, now()) and (lease_until is null or lease_until <= greatest(:now, now())))
    union all
    select lower(c.channel) from unnest(cast(:channels as text[])) as c(channel)
    where exists (
      select from fleet.dispatch q
      where q.channel = c.channel and q.parked_at is null and q.due_at <= greatest(:now, now())
        and (q.lease_until is null or q.lease_until <= greatest(:now, now())))
      and not exists (select from fleet.channels p where p.channel = c.channel and p.paused_until > :now)
""",
)

# Parked rows are counted apart: notices and callbacks are kept, and what is due has an index of its own.
_STATES = _of_all(
    """
    select '{name}' as queue,
      count(*) filter (where due_at <= :now) as due,
      0 as leased,
      count(*) filter (where due_at > :now) as waiting,
      0 as unknown,
      (select count(*) from {table} where {parked}) as parked,
      extract(epoch from :now - min(due_at) filter (where due_at <= :now)) as oldest
    from {table} where {open}
""",
    """
    select 'lookups',
      count(*) filter (where due_at <= :now and (lease_until is null or lease_until <= :now)),
      count(*) filter (where lease_until > :now),
      count(*) filter (where due_at > :now and (lease_until is null or lease_until <= :now)), 0, 0,
      extract(epoch from :now - min(due_at) filter (
        where due_at <= :now and (lease_until is null or lease_until <= :now)))
    from fleet.lookups
    union all
    select lower(channel), due, leased, waiting, unknown, parked, extract(epoch from :now - oldest)
    from (
      select q.channel,
        count(*) filter (where free and q.due_at <= :now) as due,
        count(*) filter (where q.lease_until > :now) as leased,
        count(*) filter (where free and q.due_at > :now) as waiting,
        count(a.token) filter (where free) as unknown,
        count(q.parked_at) as parked,
        min(q.due_at) filter (where free and q.due_at <= :now) as oldest
      from fleet.dispatch q
      left join fleet.attempts a on a.delivery_id = q.delivery_id and a.closed_at is null
      cross join lateral (
        select q.parked_at is null and (q.lease_until is null or q.lease_until <= :now) as free) f
      group by q.channel
    ) per_channel
    order by 1
""",
)

# Each head is read through the index of what is due, oldest first, so that the first row is the oldest one
# however many lie behind it.
_HEADS = _of_all(
    """
    select '{name}' as queue, d.due, w.waiting, extract(epoch from :now - d.oldest) as oldest,
      cast(null as text) as pause, cast(null as text) as pause_code,
      cast(null as timestamptz) as paused_until
    from
      (select count(*) as due, min(due_at) as oldest from (
        select due_at from {table} where {open} and due_at <= :now
        order by due_at limit :counted) h) d,
      (select count(*) as waiting from (
        select from {table} where {open} and due_at > :now limit :counted) h) w
""",
    """
    select 'lookups', d.due, w.waiting, extract(epoch from :now - d.oldest), null, null, null
    from
      (select count(*) as due, min(due_at) as oldest from (
        select due_at from fleet.lookups
        where due_at <= :now and (lease_until is null or lease_until <= :now)
        order by due_at limit :counted) h) d,
      (select count(*) as waiting from (
        select from fleet.lookups where due_at > :now limit :counted) h) w
    union all
    select lower(c.channel), least(d.due, :counted), least(w.waiting, :counted),
      extract(epoch from :now - d.oldest), p.kind, p.code, p.paused_until
    from unnest(cast(:channels as text[])) as c(channel)
    cross join lateral (
      select count(h.due_at) as due, min(h.due_at) as oldest
      from (values (1), (2), (3)) as priorities(priority)
      cross join lateral (
        select q.due_at from fleet.dispatch q
        where q.channel = c.channel and q.priority = priorities.priority and q.parked_at is null
          and q.due_at <= :now and (q.lease_until is null or q.lease_until <= :now)
        order by q.due_at limit :counted) h) d
    cross join lateral (
      select count(h.due_at) as waiting
      from (values (1), (2), (3)) as priorities(priority)
      cross join lateral (
        select q.due_at from fleet.dispatch q
        where q.channel = c.channel and q.priority = priorities.priority and q.parked_at is null
          and q.due_at > :now and (q.lease_until is null or q.lease_until <= :now)
        limit :counted) h) w
    left join fleet.channels p on p.channel = c.channel and p.paused_until > :now
    order by 1
""",
)


def due(session: Session, channels: list[str], now: datetime) -> list[str]:
    """The queues that have something to do now; of the channels, those that are given."""
    return list(session.scalars(_DUE, {"channels": channels, "now": now}))


def states(session: Session, now: datetime) -> list[QueueState]:
    """Every queue's counts and the age of its oldest due row."""
    return [
        QueueState(row.queue, row.due, row.leased, row.waiting, row.unknown, row.parked,
                   None if row.oldest is None else float(row.oldest))
        for row in session.execute(_STATES, {"now": now})
    ]  # fmt: skip


def heads(session: Session, channels: list[str], now: datetime) -> list[QueueHead]:
    """What is due and for how long, per queue; of the channels, those that are given.

    Costs the same whatever lies in the queues.
    """
    return [
        QueueHead(row.queue, row.due, row.waiting, None if row.oldest is None else float(row.oldest),
                  row.pause, row.pause_code, row.paused_until)
        for row in session.execute(_HEADS, {"channels": channels, "now": now, "counted": COUNTED})
    ]  # fmt: skip
