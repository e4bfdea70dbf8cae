"""Reminders seen from their links: where a token leads, that it was followed, what was paid through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Linked:
    """The order that a reminder's link is about, as it is now.

    Attributes:
        order_id: Its id.
        number: The reminder's.
        status: The platform's word; it may be one that this release does not know.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        product: The product's name.
        locale: The language that the person has chosen.
    """

    order_id: UUID
    number: int
    status: str
    amount: int
    currency: str
    product: str
    locale: str | None


_FIND = text("""
    select r.order_id, r.number, o.status::text, o.amount, o.currency, p.name as product, said.locale
    from fleet.reminders r
    join public.orders o on o.id = r.order_id
    join public.products p on p.id = o.product_id
    left join fleet.preferences said on said.user_id = r.user_id
    where r.token = :token and r.state = 'SENT'
""")

# A row of the platform's names no reminder: it belongs to the last one that was claimed before it.
_CLICK = text("""
    with clicked as (
      update fleet.reminders set clicked_at = :now
      where order_id = :order_id and number = :number and clicked_at is null
    )
    update public.payment_reminders told
    set clicked_at = :now
    where told.order_id = :order_id and told.clicked_at is null
      and :number = (
        select r.number from fleet.reminders r
        where r.order_id = told.order_id and r.state = 'SENT' and r.claimed_at <= told.sent_at
        order by r.claimed_at desc, r.number desc
        limit 1)
""")

# A payment in a session that the fleet has not made is due to the last reminder that had gone out.
_PAID = text("""
    update fleet.reminders r
    set paid_at = greatest(r.sent_at, cast(:paid_at as timestamptz))
    from (
      select led.order_id, led.number
      from fleet.reminders led
      left join fleet.reminder_sessions s
        on s.order_id = led.order_id and s.number = led.number and s.session_id = :session_id
      where led.order_id = :order_id and led.state = 'SENT'
        and (s.session_id is not null or led.sent_at <= :now)
      order by (s.session_id is not null) desc, led.sent_at desc, led.number desc
      limit 1
    ) through
    where r.order_id = through.order_id and r.number = through.number
    returning r.number
""")


def find(session: Session, token: str) -> Linked | None:
    """What a link is about; None where no reminder that was sent has this token, or its order is gone."""
    row = session.execute(_FIND, {"token": token}).mappings().one_or_none()
    return None if row is None else Linked(**row)


def click(session: Session, order_id: UUID, number: int, now: datetime) -> None:
    """Note that somebody follows a reminder's link; the first time is kept."""
    session.execute(_CLICK, {"order_id": order_id, "number": number, "now": now})


def mark_paid(
    session: Session, order_id: UUID, session_id: str, paid_at: datetime, now: datetime
) -> int | None:
    """Mark the reminder through which an order was paid.

    Args:
        session: The transaction that settles the order.
        order_id: The order.
        session_id: In which Checkout Session it was paid.
        paid_at: When it was paid.
        now: UTC.

    Returns:
        The reminder's number; None where none was sent.
    """
    values = {"order_id": order_id, "session_id": session_id, "paid_at": paid_at, "now": now}
    number: int | None = session.scalar(_PAID, values)
    return number
