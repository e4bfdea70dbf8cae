"""Orders, locked one at a time, and what a payment marks on them and on the profile of who bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order as the platform has it.

    Attributes:
        order_id: Its id.
        user_id: Who bought.
        product_id: What.
        product: The product's name.
        dossier_id: The dossier that it has led to.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        status: The platform's word; it may be one that this release does not know.
        session_id: Stripe's Checkout Session, the order's current one.
        payment_id: Stripe's payment intent.
    """

    order_id: UUID
    user_id: UUID
    product_id: UUID
    product: str
    dossier_id: UUID | None
    amount: int
    currency: str
    status: str
    session_id: str | None
    payment_id: str | None


_LOCK = text("""
    select o.id as order_id, o.user_id, o.product_id, p.name as product, o.dossier_id, o.amount, o.currency,
      o.status::text, o.stripe_checkout_session_id as session_id, o.stripe_payment_intent_id as payment_id
    from public.orders o join public.products p on p.id = o.product_id
    where o.id = :order_id
    for update of o
""")
_OF_SESSION = text("""
    select id from public.orders where stripe_checkout_session_id = :session_id
    union all
    select order_id from fleet.settlements where session_id = :session_id
    limit 1
""")
_OF_PAYMENT = text("""
    select order_id from fleet.payments where payment_intent_id = :payment_id
    union all
    select id from public.orders where stripe_payment_intent_id = :payment_id
    union all
    select order_id from fleet.settlements where payment_intent_id = :payment_id
    limit 1
""")
_ANOTHERS = text("""
    select order_id from (
      select id as order_id from public.orders
      where stripe_checkout_session_id = :session_id or stripe_payment_intent_id = :payment_id
      union all
      select order_id from fleet.settlements
      where session_id = :session_id or payment_intent_id = :payment_id
      union all
      select order_id from fleet.payments where payment_intent_id = :payment_id
    ) bearers
    where order_id <> :order_id
    limit 1
""")
_PAID = text("""
    update public.orders
    set status = 'PAID', paid_at = coalesce(paid_at, :paid_at),
        stripe_checkout_session_id = coalesce(stripe_checkout_session_id, :session_id),
        stripe_payment_intent_id = coalesce(:payment_id, stripe_payment_intent_id),
        stripe_customer_id = coalesce(:customer_id, stripe_customer_id)
    where id = :order_id
""")
_DOSSIER = text("update public.orders set dossier_id = :dossier_id where id = :order_id")
_REFUNDED = text("update public.orders set status = 'REFUNDED' where id = :order_id and status = 'PAID'")

# Two people with one customer, settled at once, would both find it free.
_LOCK_CUSTOMER = text("select pg_advisory_xact_lock(hashtextextended('fleet.customer ' || :customer_id, 0))")
_ACTIVATE = text("""
    update public.profiles p
    set status = 'ACTIVE',
        stripe_customer_id = case
          when cast(:customer_id as text) is null or exists (
            select from public.profiles o where o.stripe_customer_id = :customer_id and o.id <> p.id)
          then p.stripe_customer_id else :customer_id end
    where p.id = :user_id
""")
_SUSPEND = text("""
    update public.profiles set status = 'SUSPENDED'
    where id = :user_id and status::text not in ('ACTIVE', 'SUSPENDED')
""")


def lock(session: Session, order_id: UUID) -> OrderFacts | None:
    """Lock an order for this transaction, and read it; None where there is none.

    What hangs on it is to be read by later statements: this one may have waited for whoever changed it.
    """
    row = session.execute(_LOCK, {"order_id": order_id}).mappings().first()
    return None if row is None else OrderFacts(**row)


def of_session(session: Session, session_id: str) -> UUID | None:
    """The order that bears a Checkout Session, or was settled with it."""
    found: UUID | None = session.scalar(_OF_SESSION, {"session_id": session_id})
    return found


def of_payment(session: Session, payment_id: str) -> UUID | None:
    """The order that a payment was made for, as far as that is known."""
    found: UUID | None = session.scalar(_OF_PAYMENT, {"payment_id": payment_id})
    return found


def another_with(session: Session, order_id: UUID, session_id: str, payment_id: str | None) -> UUID | None:
    """Another order than this one that the session or the payment belongs to."""
    values = {"order_id": order_id, "session_id": session_id, "payment_id": payment_id}
    found: UUID | None = session.scalar(_ANOTHERS, values)
    return found


def mark_paid(  # noqa: PLR0913, PLR0917 - the columns of one statement
    session: Session,
    order_id: UUID,
    session_id: str,
    payment_id: str | None,
    customer_id: str | None,
    paid_at: datetime,
) -> None:
    """Make an order PAID. Its amount, and a session that it has, stay as they are."""
    session.execute(
        _PAID,
        {
            "order_id": order_id,
            "session_id": session_id,
            "payment_id": payment_id,
            "customer_id": customer_id,
            "paid_at": paid_at,
        },
    )


def link_dossier(session: Session, order_id: UUID, dossier_id: UUID) -> None:
    """Link the dossier that an order has led to."""
    session.execute(_DOSSIER, {"order_id": order_id, "dossier_id": dossier_id})


def mark_refunded(session: Session, order_id: UUID) -> None:
    """Make a PAID order REFUNDED."""
    session.execute(_REFUNDED, {"order_id": order_id})


def activate(session: Session, user_id: UUID, customer_id: str | None) -> None:
    """Make a profile ACTIVE, and name Stripe's customer on it unless another profile has that one."""
    if customer_id is not None:
        session.execute(_LOCK_CUSTOMER, {"customer_id": customer_id})
    session.execute(_ACTIVATE, {"user_id": user_id, "customer_id": customer_id})


def suspend(session: Session, user_id: UUID) -> None:
    """Make a profile SUSPENDED, unless it is ACTIVE."""
    session.execute(_SUSPEND, {"user_id": user_id})
