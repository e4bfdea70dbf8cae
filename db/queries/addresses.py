"""Where deliveries were to go and where their people are reached now; those that go there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Addressed:
    """A delivery, or letter, and what is known of its person's addresses.

    Attributes:
        delivery_id: Its id.
        channel: Its channel.
        recipient: Where it was to go, as it is written.
        notification_id: Its notification; None for a letter.
        email: The account's address now; of a letter that of its payment link.
        phone: The profile's number now, as it is written.
        from_id: The delivery that it took over from, where the fleet had it do so.
        from_channel: That delivery's channel.
        known: All deliveries of the notification.
    """

    delivery_id: UUID
    channel: str
    recipient: str
    notification_id: UUID | None
    email: str | None
    phone: str | None
    from_id: UUID | None
    from_channel: str | None
    known: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class SentAnew:
    """A delivery that another one stands for now.

    Attributes:
        delivery_id: The one that has failed.
        sent_as: The other.
        notification_id: That of both.
    """

    delivery_id: UUID
    sent_as: UUID
    notification_id: UUID


_OF = text("""
    select d.id as delivery_id, d.channel::text as channel, d.recipient, d.notification_id,
      nullif(trim(account.email), '') as email, nullif(trim(person.phone), '') as phone,
      f.from_delivery_id as from_id, f.from_channel,
      array(select o.id from public.notification_deliveries o where o.notification_id = n.id) as known
    from public.notification_deliveries d
    join public.notifications n on n.id = d.notification_id
    left join public.profiles person on person.id = n.user_id
    left join auth.users account on account.id = n.user_id
    left join fleet.fallbacks f
      on f.notification_id = n.id and f.to_delivery_id = d.id and f.from_delivery_id is not null
    where d.id = any(:ids)
    union all
    select l.id, 'EMAIL', l.recipient, null, nullif(trim(link.prospect_email), ''), null, null, null, '{}'
    from fleet.letters l
    left join public.payment_links link on link.id = l.payment_link_id
    where l.id = any(:ids)
""")

# The place is what two who do this at once compete for: it is moved once. The queue's row is there before the
# trigger looks, which adds the wake-up.
_ANEW = text("""
    with meant as (
      select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, sent_as uuid, recipient text)
    ), placed as (
      update fleet.delivery_places p set delivery_id = m.sent_as
      from meant m join public.notification_deliveries d on d.id = m.id
      where p.notification_id = d.notification_id and p.channel = d.channel::text and p.delivery_id = d.id
        and d.status::text in ('FAILED', 'BOUNCED')
      returning m.id, m.sent_as, m.recipient, p.notification_id, d.channel
    ), taken_over as (
      update fleet.fallbacks f set to_delivery_id = placed.sent_as
      from placed where f.notification_id = placed.notification_id and f.to_delivery_id = placed.id
    ), inserted as (
      insert into public.notification_deliveries (id, notification_id, channel, recipient, status)
      select sent_as, notification_id, channel, recipient, 'PENDING' from placed
    ), queued as (
      insert into fleet.dispatch (delivery_id, channel, priority)
      select sent_as, channel::text, 1 from placed
    )
    select id as delivery_id, sent_as, notification_id from placed order by id
""")


def of(session: Session, ids: Sequence[UUID]) -> list[Addressed]:
    """What is known of these deliveries and letters."""
    return [Addressed(**row) for row in session.execute(_OF, {"ids": list(ids)}).mappings()]


def send_anew(session: Session, rows: str) -> list[SentAnew]:
    """Give failed deliveries another in their place, due at once and urgent.

    The failed one stays as it is: what is still heard of its tries is about its own address.

    Args:
        session: The transaction, which holds the deliveries.
        rows: A JSON array of ``{id, sent_as, recipient}``.

    Returns:
        Those that were: what has no place any more, or has not failed, is left alone.
    """
    return [SentAnew(**row) for row in session.execute(_ANEW, {"rows": rows}).mappings()]
