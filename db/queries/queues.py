"""What is due, per queue: for the relay's poll, the sweeps and the operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

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


# A paused channel is not due: a wake-up would find its gate closed.
_DUE = text("""
    select 'fanout' as queue where exists (
      select from fleet.outbox where parked_at is null and due_at <= greatest(:now, now()))
    union all
    select 'inbox' where exists (
      select from fleet.inbox
      where handled_at is null and parked_at is null and due_at <= greatest(:now, now()))
    union all
    select lower(c.channel) from unnest(cast(:channels as text[])) as c(channel)
    where exists (
      select from fleet.dispatch q
      where q.channel = c.channel and q.parked_at is null and q.due_at <= greatest(:now, now())
        and (q.lease_until is null or q.lease_until <= greatest(:now, now())))
      and not exists (select from fleet.channels p where p.channel = c.channel and p.paused_until > :now)
""")

_STATES = text("""
    select 'fanout' as queue,
      count(*) filter (where parked_at is null and due_at <= :now) as due,
      0 as leased,
      count(*) filter (where parked_at is null and due_at > :now) as waiting,
      0 as unknown,
      count(parked_at) as parked,
      extract(epoch from :now - min(due_at) filter (where parked_at is null and due_at <= :now)) as oldest
    from fleet.outbox
    union all
    select 'inbox',
      count(*) filter (where due_at <= :now and parked_at is null), 0,
      count(*) filter (where due_at > :now and parked_at is null), 0,
      count(parked_at),
      extract(epoch from :now - min(due_at) filter (where due_at <= :now and parked_at is null))
    from fleet.inbox where handled_at is null
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
""")


def due(session: Session, channels: list[str], now: datetime) -> list[str]:
    """The queues that have something to do now, among fan-out, inbox and the given channels."""
    return list(session.scalars(_DUE, {"channels": channels, "now": now}))


def states(session: Session, now: datetime) -> list[QueueState]:
    """Every queue's counts and the age of its oldest due row."""
    return [
        QueueState(row.queue, row.due, row.leased, row.waiting, row.unknown, row.parked,
                   None if row.oldest is None else float(row.oldest))
        for row in session.execute(_STATES, {"now": now})
    ]  # fmt: skip
