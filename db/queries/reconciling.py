"""The platform's orders beside Stripe's lists: what each page's payments belong to, and what no page had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class AskableOrder:
    """An order, and what Stripe can be asked for about it.

    Attributes:
        order_id: Its id.
        session_id: Its Checkout Session.
        payment_id: Its payment intent.
    """

    order_id: UUID
    session_id: str | None
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """The order that a payment of Stripe's belongs to, and what is known of the payment.

    Attributes:
        payment_id: The payment of Stripe's.
        order_id: The order.
        status: Of the order.
        amount: What the order costs, in the smallest unit of its currency.
        currency: As the order has it.
        paid_with: The payment intent that the order names, or was settled with.
        known_refunded: What is known to have been given back of the payment; None where the fleet has not
            seen the payment yet.
    """

    payment_id: str
    order_id: UUID
    status: str
    amount: int
    currency: str
    paid_with: str | None
    known_refunded: int | None


_ORDER = text("""
    select id as order_id, stripe_checkout_session_id as session_id, stripe_payment_intent_id as payment_id
    from public.orders where id = :order_id
""")

# By the order that names the payment, else by what the fleet has seen, else by the payment's own metadata.
_OF_PAYMENTS = text("""
    select r.payment_id, o.id as order_id, o.status::text, o.amount, o.currency,
      coalesce(o.stripe_payment_intent_id, settled.payment_intent_id) as paid_with,
      seen.refunded as known_refunded
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(payment_id text, named uuid)
    left join fleet.payments seen on seen.payment_intent_id = r.payment_id
    left join lateral (
      select b.id from public.orders b where b.stripe_payment_intent_id = r.payment_id limit 1) bearer on true
    join public.orders o on o.id = coalesce(bearer.id, seen.order_id, r.named)
    left join fleet.settlements settled on settled.order_id = o.id
""")

_SEEN = text("""
    insert into fleet.payments as p (payment_intent_id, order_id, status, amount, currency, refunded,
      disputed, created_at, seen_at)
    select payment_id, order_id, status, amount, lower(currency), refunded, disputed, created_at, :now
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(payment_id text, order_id uuid, status text,
      amount int, currency text, refunded int, disputed boolean, created_at timestamptz)
    on conflict (payment_intent_id) do update set seen_at = greatest(p.seen_at, excluded.seen_at)
""")

# One pass over the orders: no index of the platform's knows when an order was paid.
_UNSEEN = text("""
    select o.id as order_id, o.stripe_checkout_session_id as session_id,
      o.stripe_payment_intent_id as payment_id
    from public.orders o
    where o.status = 'PAID' and o.paid_at between :since and :until
      and case when o.stripe_payment_intent_id is null
        then o.amount > 0 and not exists (select from fleet.settlements s where s.order_id = o.id)
        else not exists (
          select from fleet.payments p
          where p.payment_intent_id = o.stripe_payment_intent_id and p.seen_at >= :seen_since)
        end
    order by o.paid_at
""")


def order(session: Session, order_id: UUID) -> AskableOrder | None:
    """What Stripe can be asked for about an order; None where there is no such order."""
    row = session.execute(_ORDER, {"order_id": order_id}).mappings().first()
    return None if row is None else AskableOrder(**row)


def of_payments(session: Session, rows: str) -> dict[str, PaidOrder]:
    """The orders of payments, by payment, given as a JSON array of ``{payment_id, named}``.

    ``named`` is the order that the payment's own metadata names. Payments of no order are left out.
    """
    found = session.execute(_OF_PAYMENTS, {"rows": rows}).mappings()
    return {row["payment_id"]: PaidOrder(**row) for row in found}


def mark_seen(session: Session, rows: str, now: datetime) -> None:
    """Remember that Stripe has these payments.

    Args:
        session: The transaction.
        rows: A JSON array of ``{payment_id, order_id, status, amount, currency, refunded, disputed,
            created_at}``.
        now: When Stripe said so.
    """
    session.execute(_SEEN, {"rows": rows, "now": now})


def unseen(
    session: Session, since: datetime, until: datetime, seen_since: datetime
) -> Iterator[AskableOrder]:
    """Orders PAID in a stretch of time whose payment Stripe has not shown since a moment, or that have none.

    Those that were settled without a payment, because none was required, are left out.
    """
    values = {"since": since, "until": until, "seen_since": seen_since}
    for row in session.execute(_UNSEEN, values).mappings():
        yield AskableOrder(**row)
