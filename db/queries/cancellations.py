"""Orders that are given up after their last reminder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from db.queries.reminders import LADDERS

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.reminders import Terms

_EXHAUSTED = f"""
    select o.id from public.profiles person
    join public.orders o on o.user_id = person.id and o.status = 'PENDING'
    join ({LADDERS}) product on product.id = o.product_id and cardinality(product.days) > 0
    where person.status = 'SUSPENDED'
      and exists (select from fleet.reminders r where r.order_id = o.id and r.last and r.state = 'SENT')
      and not exists (
        select from fleet.reminders r
        where r.order_id = o.id
          and (r.state = 'CLAIMED' or coalesce(r.sent_at, r.claimed_at) > :pause_since))
"""  # noqa: S608 - of this module's own texts
_LIST = text(f"""
    {_EXHAUSTED} and (cast(:after as uuid) is null or o.id > :after) order by o.id limit :limit
""")
_IS = text(f"{_EXHAUSTED} and o.id = :order_id")
_CANCEL = text("""
    with cancelled as (
      update public.orders set status = 'CANCELLED' where id = :order_id and status = 'PENDING'
      returning id
    )
    insert into fleet.cancellations (order_id, reminders, cancelled_at)
    select id, (
        select count(*) from fleet.reminders r where r.order_id = cancelled.id and r.state = 'SENT'), :now
    from cancelled
    on conflict (order_id) do update
    set reminders = excluded.reminders, cancelled_at = excluded.cancelled_at
    returning true
""")


def exhausted(session: Session, terms: Terms, after: UUID | None, limit: int) -> list[UUID]:
    """Up to ``limit`` orders whose last reminder was sent long enough ago, by their ids.

    Args:
        session: The transaction.
        terms: By what it is told; a reminder since ``pause_since`` is not long enough ago.
        after: The order after which to go on; None to begin.
        limit: How many at most.
    """
    return list(session.scalars(_LIST, {**terms.values, "after": after, "limit": limit}))


def is_exhausted(session: Session, terms: Terms, order_id: UUID) -> bool:
    """Whether that is so of one order, which is locked."""
    return session.scalar(_IS, {**terms.values, "order_id": order_id}) is not None


def cancel(session: Session, order_id: UUID, now: datetime) -> bool:
    """Make a PENDING order CANCELLED, and write down that it was given up; False where it is not PENDING."""
    return bool(session.scalar(_CANCEL, {"order_id": order_id, "now": now}))
