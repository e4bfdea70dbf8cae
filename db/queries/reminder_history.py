"""What has been done about an unpaid order so far: by it, people are told why it is not reminded of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class History:
    """An order and its reminders.

    Attributes:
        order_id: Its id.
        user_id: Who has ordered.
        product: The product's name.
        product_code: Its code.
        active: Whether it is on sale.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        status: The platform's word; it may be one that this release does not know.
        suspended: Whether the person's profile is SUSPENDED.
        created_at: When the order was made.
        number: That of its next reminder.
        reminded_at: Of the last one, the application's among them, and those that were not sent.
        skipped_at: When one was last claimed that was not sent.
        on_its_way: Whether one is claimed and not sent yet.
        ended: Whether the last one of a ladder was sent.
        person_waits: Whether one of the person's is claimed, of whatever order.
        person_reminded_at: When the person was last reminded, of whatever order.
    """

    order_id: UUID
    user_id: UUID
    product: str
    product_code: str
    active: bool
    amount: int
    currency: str
    status: str
    suspended: bool
    created_at: datetime
    number: int
    reminded_at: datetime | None
    skipped_at: datetime | None
    on_its_way: bool
    ended: bool
    person_waits: bool
    person_reminded_at: datetime | None


_OF = """
    select o.id as order_id, o.user_id, product.name as product, product.code as product_code,
      product.active, o.amount, o.currency, o.status::text,
      person.status::text = 'SUSPENDED' as suspended, o.created_at, own.number,
      greatest(own.reminded_at, (
        select max(told.sent_at) from public.payment_reminders told where told.order_id = o.id))
        as reminded_at,
      own.skipped_at, coalesce(own.on_its_way, false) as on_its_way, coalesce(own.ended, false) as ended,
      coalesce(persons.waits, false) as person_waits,
      greatest(persons.reminded_at, (
        select max(told.sent_at) from public.payment_reminders told where told.user_id = o.user_id))
        as person_reminded_at
    from public.orders o
    join public.products product on product.id = o.product_id
    join public.profiles person on person.id = o.user_id
    cross join lateral (
      select coalesce(max(r.number), 0) + 1 as number, max(coalesce(r.sent_at, r.claimed_at)) as reminded_at,
        max(r.claimed_at) filter (where r.state = 'SKIPPED') as skipped_at,
        bool_or(r.state = 'CLAIMED') as on_its_way, bool_or(r.last and r.state = 'SENT') as ended
      from fleet.reminders r where r.order_id = o.id) own
    cross join lateral (
      select bool_or(r.state = 'CLAIMED' and r.parked_at is null) as waits, max(r.sent_at) as reminded_at
      from fleet.reminders r where r.user_id = o.user_id) persons
"""
_OF_ORDER = text(f"{_OF} where o.id = :id")
_OF_PERSON = text(f"{_OF} where o.user_id = :id order by o.created_at, o.id")


def of_order(session: Session, order_id: UUID) -> History | None:
    """That of an order; None where there is none."""
    row = session.execute(_OF_ORDER, {"id": order_id}).mappings().first()
    return None if row is None else History(**row)


def of_person(session: Session, user_id: UUID) -> list[History]:
    """Those of a person's orders, the oldest first."""
    return [History(**row) for row in session.execute(_OF_PERSON, {"id": user_id}).mappings()]
