"""One channel giving way to another: decided under a lock, recorded with its reason, once a notification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class GivenWay:
    """A delivery that gave way, and the one that takes over."""

    delivery_id: UUID
    channel: str
    to_delivery_id: UUID
    to_channel: str
    notification_id: UUID
    event_id: UUID | None
    template_code: str | None


_LOCK = text("select id from public.notification_deliveries where id = any(:ids) order by id for update")

# A statement of its own after the lock: it must see what whoever held the lock before has written. The place
# is taken first, for it is what an application that inserts the other channel at this moment competes for.
_GIVE_WAY = text("""
    with calling as (
      select d.id, d.channel::text as channel, way.value as to_channel, d.notification_id, d.recipient,
             n.user_id, n.event_id, n.template_code,
             case when d.status::text = 'FAILED' then d.provider_response ->> 'code' end as code
      from public.notification_deliveries d
      join public.notifications n on n.id = d.notification_id
      join jsonb_each_text(cast(:ways as jsonb)) way on way.key = d.channel::text
      join fleet.delivery_places place
        on place.notification_id = d.notification_id and place.channel = d.channel::text
        and place.delivery_id = d.id
      where d.id = any(:ids)
        and d.status::text = case when :reason = 'NOT_DELIVERED' then 'SENT' else 'FAILED' end
        and not exists (
          select from fleet.receipts r
          where r.delivery_id = d.id and coalesce(r.delivered_at, r.opened_at, r.clicked_at) is not null)
        and not exists (
          select from fleet.fallbacks f
          where f.notification_id = d.notification_id and f.from_channel = d.channel::text)
    ), placed as (
      insert into fleet.delivery_places (notification_id, channel, delivery_id)
      select notification_id, to_channel, gen_random_uuid() from calling
      on conflict do nothing
      returning notification_id, channel as to_channel, delivery_id as to_delivery_id
    ), giving as (
      select * from calling join placed using (notification_id, to_channel)
    ), recorded as (
      insert into fleet.fallbacks
        (notification_id, from_channel, to_channel, from_delivery_id, to_delivery_id, user_id, reason, code,
         decided_at)
      select notification_id, channel, to_channel, id, to_delivery_id, user_id, :reason, code, :now
      from giving
    ), inserted as (
      insert into public.notification_deliveries (id, notification_id, channel, recipient, status)
      select to_delivery_id, notification_id, to_channel::public.notification_channel, recipient, 'PENDING'
      from giving
    )
    select id as delivery_id, channel, to_delivery_id, to_channel, notification_id, event_id, template_code
    from giving
    order by id
""")

# What was concluded from this itself is no new evidence: after the time the channel is tried again.
_REFUSED_NUMBERS = text("""
    select distinct f.user_id, d.recipient
    from fleet.fallbacks f
    join public.notification_deliveries d on d.id = f.from_delivery_id
    where f.user_id = any(:user_ids) and f.from_channel = :channel and f.decided_at >= :since
      and f.reason <> 'HAS_NONE' and f.code = any(:codes)
""")

_RECORD_HAVING_NONE = text("""
    insert into fleet.fallbacks
      (notification_id, from_channel, to_channel, to_delivery_id, user_id, reason, decided_at)
    select r.notification_id, r.from_channel, r.to_channel, p.delivery_id, r.user_id, 'HAS_NONE', :now
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(notification_id uuid, from_channel text, to_channel text, user_id uuid)
    join fleet.delivery_places p on p.notification_id = r.notification_id and p.channel = r.to_channel
    on conflict do nothing
""")


def give_way(
    session: Session, delivery_ids: Sequence[UUID], ways: str, reason: str, now: datetime
) -> list[GivenWay]:
    """Lock deliveries, and give the notifications of those whose state calls for it another delivery.

    Args:
        session: The transaction.
        delivery_ids: Locked in the order of their ids.
        ways: A JSON object: from which channel to which.
        reason: As in ``fleet.fallbacks``. NOT_DELIVERED is for what was SENT, the others for what FAILED.
        now: The time to record.

    Returns:
        Those that gave way: the first of their notification on a channel that has a way, of which no receipt
        says that it was delivered, where the other channel's place was free.
    """
    ids = list(delivery_ids)
    session.execute(_LOCK, {"ids": ids})
    values = {"ids": ids, "ways": ways, "reason": reason, "now": now}
    return [GivenWay(**row) for row in session.execute(_GIVE_WAY, values).mappings()]


def refused_numbers(
    session: Session, user_ids: Sequence[UUID], channel: str, codes: Sequence[str], since: datetime
) -> set[tuple[UUID, str]]:
    """The (person, recipient) that a channel has given way for with one of these codes."""
    values = {"user_ids": list(user_ids), "channel": channel, "codes": list(codes), "since": since}
    return {(row.user_id, row.recipient) for row in session.execute(_REFUSED_NUMBERS, values)}


def record_having_none(session: Session, rows: str, now: datetime) -> None:
    """Record that a channel was passed over for people who have none.

    Args:
        session: The transaction that has inserted the other channel's deliveries.
        rows: A JSON array of ``{notification_id, from_channel, to_channel, user_id}``.
        now: The time to record.
    """
    session.execute(_RECORD_HAVING_NONE, {"rows": rows, "now": now})
