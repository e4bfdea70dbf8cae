"""Deliveries as an operator looks for them, and those that failed, sent once more by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries are meant; None means any.

    Attributes:
        ids: These.
        channel: On this channel.
        status: In this state.
        code: That ended with this code.
        template: In these words.
        since: Made at this time or later.
    """

    ids: Sequence[UUID] | None = None
    channel: str | None = None
    status: str | None = None
    code: str | None = None
    template: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One delivery, or letter, in a list, without whom it goes to."""

    delivery_id: UUID
    created_at: datetime
    channel: str
    status: str
    template_code: str | None
    attempts: int
    code: str | None
    receipt: str | None
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """What a message on a channel has cost lately, on average, in one currency."""

    channel: str
    unit: str
    each: Decimal


# What a retry would not mend is told as an obstacle: somebody else has said the same, or SMS has taken over.
_LIST = text("""
    with told as (
      select d.id, d.notification_id, d.created_at, d.channel::text, d.status::text, d.provider_response,
        n.template_code, n.payload
      from public.notification_deliveries d join public.notifications n on n.id = d.notification_id
      union all
      select id, null, created_at, 'EMAIL', status, provider_response, template_code, payload
      from fleet.letters
    )
    select d.id as delivery_id, d.created_at, d.channel, d.status, d.template_code,
      (select count(*) from fleet.attempts a where a.delivery_id = d.id) as attempts,
      coalesce(d.provider_response ->> 'code', q.last_code) as code,
      (select r.state from fleet.receipts r join fleet.attempts a using (token)
       where r.delivery_id = d.id order by a.number desc limit 1) as receipt,
      case
        when d.payload ? 'redacted_at' then 'the person was erased'
        when d.status not in ('FAILED', 'BOUNCED') then 'is ' || d.status
        when d.provider_response ->> 'code' in ('duplicate_delivery', 'duplicate_notification', 'superseded')
          then 'another delivery says the same'
        when place.delivery_id <> d.id then 'another delivery has taken its place'
        when d.provider_response ->> 'code' = 'link_over' then 'its payment link is of no use any more'
        when next.status is not null then f.to_channel || ' has taken over, and is ' || next.status::text
        when before.status::text in ('PENDING', 'SENT')
          then 'it stands in for ' || before.channel::text || ', which is ' || before.status::text
      end as obstacle
    from told d
    left join fleet.dispatch q on q.delivery_id = d.id
    left join fleet.delivery_places place
      on place.notification_id = d.notification_id and place.channel = d.channel
    left join fleet.fallbacks f
      on f.notification_id = d.notification_id and f.from_channel = d.channel
      and f.from_delivery_id = d.id
    left join public.notification_deliveries next on next.id = f.to_delivery_id
    left join fleet.fallbacks g on g.notification_id = d.notification_id and g.to_delivery_id = d.id
    left join public.notification_deliveries before on before.id = g.from_delivery_id
    where (cast(:ids as uuid[]) is null or d.id = any(:ids))
      and (cast(:channel as text) is null or d.channel = :channel)
      and (cast(:status as text) is null or d.status = :status)
      and (cast(:code as text) is null or coalesce(d.provider_response ->> 'code', q.last_code) = :code)
      and (cast(:template as text) is null or d.template_code = :template)
      and (cast(:since as timestamptz) is null or d.created_at >= :since)
    order by d.created_at desc, d.id
    limit :limit
""")

_PRICES = text("""
    select a.channel, a.price_unit as unit, avg(a.price) as each
    from fleet.attempts a
    where a.opened_at >= :since and a.price is not null
    group by a.channel, a.price_unit
    order by a.channel, a.price_unit
""")

_HOLD = text("select id from public.notification_deliveries where id = any(:ids) order by id for update")

# Locked in the order of their ids, as whoever settles by evidence locks them; what has moved on is left.
_RETRY = text("""
    with wanted as materialized (
      select id from public.notification_deliveries
      where id = any(:ids) and status::text in ('FAILED', 'BOUNCED')
      order by id
      for update
    ), letters as materialized (
      select id from fleet.letters
      where id = any(:ids) and status in ('FAILED', 'BOUNCED')
      order by id
      for update
    ), delivered as (
      update public.notification_deliveries d
      set status = 'PENDING', failed_at = null, sent_at = null
      from wanted where d.id = wanted.id
      returning d.id, d.channel::text as channel
    ), lettered as (
      update fleet.letters l
      set status = 'PENDING', failed_at = null, sent_at = null
      from letters where l.id = letters.id
      returning l.id, 'EMAIL' as channel
    ), again as (
      table delivered union all table lettered
    ), queued as (
      insert into fleet.dispatch (delivery_id, channel, priority)
      select id, channel, 1 from again
      on conflict (delivery_id) do update
      set due_at = now(), tries = 0, parked_at = null, lease_until = null
    ), woken as (
      select pg_notify('fleet', lower(channel)) from (select distinct channel from again) c
    )
    select id, (select count(*) from woken) from again
""")


def find(session: Session, wanted: Wanted, limit: int) -> list[Listed]:
    """Deliveries that are meant, the newest first."""
    values = {
        "ids": None if wanted.ids is None else list(wanted.ids),
        "channel": wanted.channel,
        "status": wanted.status,
        "code": wanted.code,
        "template": wanted.template,
        "since": wanted.since,
        "limit": limit,
    }
    return [Listed(**row) for row in session.execute(_LIST, values).mappings()]


def prices(session: Session, since: datetime) -> list[Price]:
    """What messages have cost since then, by channel and currency."""
    return [Price(**row) for row in session.execute(_PRICES, {"since": since}).mappings()]


def hold(session: Session, ids: Sequence[UUID]) -> None:
    """Lock deliveries, in the order of their ids, before it is looked where they go."""
    session.execute(_HOLD, {"ids": list(ids)})


def retry(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """Make failed deliveries due once more, as urgent ones with no try counted.

    Returns:
        Those that were: what is no longer FAILED or BOUNCED is left alone.
    """
    return [row.id for row in session.execute(_RETRY, {"ids": list(ids)})]
