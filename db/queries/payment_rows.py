"""What Stripe has said of an order's payments: what it cannot take back only grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Said:
    """A payment to write down, as in ``fleet.payments``."""

    payment_id: str
    order_id: UUID
    session_id: str
    status: str
    amount: int
    currency: str
    refunded: int
    disputed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Refunds:
    """What has been given back of an order's payments, all that is known of.

    Attributes:
        paid: What has come in.
        refunded: What has gone back of it.
    """

    paid: int
    refunded: int


# Snapshots may come in any order, an older one last.
_RECORD = text("""
    with before as (
      select refunded from fleet.payments where payment_intent_id = :payment_id
    )
    insert into fleet.payments as p (payment_intent_id, order_id, session_id, status, amount, currency,
      refunded, disputed, created_at, seen_at)
    values (:payment_id, :order_id, :session_id, :status, :amount, :currency, :refunded, :disputed,
      :created_at, :now)
    on conflict (payment_intent_id) do update
    set status = case when p.status in ('succeeded', 'canceled') then p.status else excluded.status end,
        refunded = greatest(p.refunded, excluded.refunded), disputed = p.disputed or excluded.disputed,
        seen_at = greatest(p.seen_at, excluded.seen_at)
    where p.order_id = excluded.order_id
    returning refunded > coalesce((select refunded from before), 0)
""")
_REFUNDS = text("""
    select coalesce(sum(amount), 0) as paid, coalesce(sum(least(refunded, amount)), 0) as refunded
    from fleet.payments where order_id = :order_id and status = 'succeeded'
""")
_REFUNDED = text("select refunded from fleet.payments where payment_intent_id = :payment_id")
_DISPUTED = text("update fleet.payments set disputed = true where payment_intent_id = :payment_id")
_FAILED = text("""
    insert into fleet.payment_failures (failure_key, order_id, code, failed_at)
    values (:failure_key, :order_id, :code, :now)
    on conflict do nothing
    returning true
""")


def record(session: Session, said: Said, now: datetime) -> bool:
    """Write down what is said of a payment.

    Returns:
        Whether more of it was given back than was known.
    """
    values = {name: getattr(said, name) for name in Said.__slots__}
    return bool(session.scalar(_RECORD, {**values, "now": now}))


def refunds(session: Session, order_id: UUID) -> Refunds:
    """What was paid for an order, in all payments that succeeded, and what was given back."""
    return Refunds(**session.execute(_REFUNDS, {"order_id": order_id}).mappings().one())


def refunded(session: Session, payment_id: str) -> int:
    """How much of a payment was given back, as far as is known."""
    return session.scalar(_REFUNDED, {"payment_id": payment_id}) or 0


def mark_disputed(session: Session, payment_id: str) -> None:
    """Remember that a payment was disputed."""
    session.execute(_DISPUTED, {"payment_id": payment_id})


def put_failure(session: Session, failure_key: str, order_id: UUID, code: str | None, now: datetime) -> bool:
    """Remember that a try to pay has failed; False where it is known."""
    values = {"failure_key": failure_key, "order_id": order_id, "code": code, "now": now}
    return bool(session.scalar(_FAILED, values))
