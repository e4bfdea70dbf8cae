"""Orders that wait to be paid, with what a Checkout Session of them needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class OrderToPay:
    """An order, who is to pay it, and its sessions.

    Attributes:
        order_id: Its id.
        user_id: Who has ordered.
        product_id: What.
        product: The product's name.
        active: Whether the product is on sale.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        status: The platform's word; it may be one that this release does not know.
        suspended: Whether the person's profile is SUSPENDED.
        session_id: Stripe's Checkout Session, the order's current one.
        payment_id: Stripe's payment intent.
        other_sessions: Those that the fleet has made besides and that have not run out.
        customer_id: Stripe's customer.
        email: The person's.
    """

    order_id: UUID
    user_id: UUID
    product_id: UUID
    product: str
    active: bool
    amount: int
    currency: str
    status: str
    suspended: bool
    session_id: str | None
    payment_id: str | None
    other_sessions: Sequence[str]
    customer_id: str | None
    email: str | None = field(repr=False)


_OF = text("""
    select o.id as order_id, o.user_id, o.product_id, product.name as product, product.active, o.amount,
      o.currency, o.status::text, person.status::text = 'SUSPENDED' as suspended,
      o.stripe_checkout_session_id as session_id, o.stripe_payment_intent_id as payment_id,
      array(
        select made.session_id from fleet.reminder_sessions made
        where made.order_id = o.id and made.expires_at > :now
          and made.session_id is distinct from o.stripe_checkout_session_id) as other_sessions,
      person.stripe_customer_id as customer_id, account.email
    from public.orders o
    join public.products product on product.id = o.product_id
    join public.profiles person on person.id = o.user_id
    left join auth.users account on account.id = o.user_id
    where o.id = :order_id
""")
_NAME_SESSION = text("""
    with named as (
      update public.orders set stripe_checkout_session_id = :session_id
      where id = :order_id and stripe_checkout_session_id is distinct from :session_id
    )
    insert into fleet.reminder_sessions (session_id, order_id, number, created_at, expires_at)
    values (:session_id, :order_id, :number, :created_at, :expires_at)
    on conflict do nothing
""")


def of(session: Session, order_id: UUID, now: datetime) -> OrderToPay | None:
    """An order as it is now; None where there is none."""
    row = session.execute(_OF, {"order_id": order_id, "now": now}).mappings().first()
    return None if row is None else OrderToPay(**row)


def name_session(  # noqa: PLR0913, PLR0917 - the columns of one statement
    session: Session,
    order_id: UUID,
    number: int,
    session_id: str,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """Make a session the order's current one, on behalf of a reminder; the order is locked."""
    values = {"order_id": order_id, "number": number, "session_id": session_id}
    session.execute(_NAME_SESSION, {**values, "created_at": created_at, "expires_at": expires_at})
