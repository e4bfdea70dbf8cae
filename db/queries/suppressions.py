"""Addresses that are not to be written to: who said so, who took it back, and when.

For each (channel, address, reason) what was said last holds, by the time of saying it and not of hearing
of it. A word that was taken back later is never put into force by hearing of it late or twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody says whether an address may be written to.

    Attributes:
        channel: EMAIL, WHATSAPP or SMS.
        address: An e-mail address in lower case, or an international number.
        reason: As in ``fleet.suppressions``. What is taken back is only what was said for the same reason.
        source: Who says so: ``sendgrid``, ``twilio``, or a person's name.
        at: When it was said.
        stop: Whether it may not be written to.
    """

    channel: str
    address: str
    reason: str
    source: str
    at: datetime
    stop: bool = True


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that is not to be written to, or was not until it was lifted."""

    id: UUID
    channel: str
    address: str
    reason: str
    source: str
    since: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lifted_why: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """Whom an attempt has written to, where, and when."""

    token: UUID
    channel: str
    recipient: str
    opened_at: datetime


# They are rare, so all are taken one after the other; as the last thing in their transactions, so that nobody
# waits in a circle.
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('fleet.suppressions', 0))")
_STOP = text("""
    with said_again as (
      update fleet.suppressions set since = greatest(since, :at)
      where channel = :channel and address = :address and reason = :reason and lifted_at is null
      returning 1
    )
    insert into fleet.suppressions (channel, address, reason, source, since)
    select :channel, :address, :reason, :source, :at
    where not exists (select from said_again) and not exists (
      select from fleet.suppressions
      where channel = :channel and address = :address and reason = :reason and lifted_at >= :at)
    on conflict do nothing
""")
# Where there is nothing to lift, that somebody took it back is kept all the same: what was said before it
# may be heard of later.
_START = text("""
    with lifted as (
      update fleet.suppressions set lifted_at = :at, lifted_by = :source, lifted_why = :why
      where channel = :channel and address = :address and reason = :reason and lifted_at is null
        and since <= :at
      returning 1
    ), moved as (
      update fleet.suppressions set since = greatest(since, :at), lifted_at = greatest(lifted_at, :at)
      where channel = :channel and address = :address and reason = :reason and since = lifted_at
        and not exists (select from lifted)
      returning 1
    )
    insert into fleet.suppressions
      (channel, address, reason, source, since, lifted_at, lifted_by, lifted_why)
    select :channel, :address, :reason, :source, :at, :at, :source, :why
    where not exists (select from lifted) and not exists (select from moved) and not exists (
      select from fleet.suppressions
      where channel = :channel and address = :address and reason = :reason
        and (lifted_at is null or lifted_at >= :at))
    on conflict do nothing
""")
_WRITTEN = text("""
    select a.token, a.channel, d.recipient, a.opened_at
    from fleet.attempts a join public.notification_deliveries d on d.id = a.delivery_id
    where a.token = any(:tokens)
""")
_COLUMNS = "id, channel, address, reason, source, since, lifted_at, lifted_by, lifted_why"
_IN_FORCE = text("""
    select distinct on (s.channel, s.address) s.channel, s.address, s.reason, s.since
    from fleet.suppressions s
    join unnest(cast(:channels as text[]), cast(:addresses as text[])) as asked(channel, address)
      on asked.channel = s.channel and asked.address = s.address
    where s.lifted_at is null
    order by s.channel, s.address, s.since
""")
_FIND = text(f"""
    select {_COLUMNS} from fleet.suppressions
    where (cast(:address as text) is null and lifted_at is null or address = :address)
      and (cast(:id as uuid) is null or id = :id)
    order by lifted_at is not null, since desc, channel
    limit :limit
""")  # noqa: S608 - our own names
_LIFT = text("""
    update fleet.suppressions set lifted_at = greatest(since, :now), lifted_by = :who, lifted_why = :why
    where id = any(:ids) and lifted_at is null
    returning id
""")


def heed(session: Session, wishes: Sequence[Wish]) -> None:
    """Write down what people and providers want, in any order and any number of times.

    Args:
        session: The transaction, of which this is the last thing but for rows that it holds already.
        wishes: Of any addresses.
    """
    if wishes:
        session.execute(_LOCK)
    for wish in wishes:
        session.execute(
            _STOP if wish.stop else _START,
            {
                "channel": wish.channel,
                "address": wish.address,
                "reason": wish.reason,
                "source": wish.source,
                "at": wish.at,
                **({} if wish.stop else {"why": "taken back by the person"}),
            },
        )


def in_force(
    session: Session, asked: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], tuple[str, datetime]]:
    """Of these (channel, address), those that are not to be written to, with the reason and since when."""
    if not asked:
        return {}
    channels, addresses = zip(*asked, strict=True)
    rows = session.execute(_IN_FORCE, {"channels": list(channels), "addresses": list(addresses)})
    return {(row.channel, row.address): (row.reason, row.since) for row in rows}


def written(session: Session, tokens: Sequence[UUID]) -> list[Written]:
    """Whom these attempts have written to."""
    rows = session.execute(_WRITTEN, {"tokens": list(tokens)}).mappings()
    return [Written(**row) for row in rows]


def find(
    session: Session, *, address: str | None = None, some_id: UUID | None = None, limit: int = 1000
) -> list[Suppressed]:
    """Those in force, the newest first; of one address also those that were lifted."""
    rows = session.execute(_FIND, {"address": address, "id": some_id, "limit": limit}).mappings()
    return [Suppressed(**row) for row in rows]


def lift(session: Session, ids: Sequence[UUID], who: str, why: str, now: datetime) -> list[UUID]:
    """Let these be written to again; gives those that were in force."""
    return list(session.scalars(_LIFT, {"ids": list(ids), "who": who, "why": why, "now": now}))
