"""Why a session must not settle an order: each reason is a finding, and activates nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from db.models.enums import OrderStatus
from db.queries import orders, payment_rows
from services.payments import findings
from services.payments.words import Applied, FindingKind, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from providers.payments import Checkout
    from services.payments.case import Case

_SETTLES = frozenset({OrderStatus.PENDING, OrderStatus.FAILED, OrderStatus.PAID, OrderStatus.REFUNDED})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why nothing was activated."""

    kind: FindingKind
    subject: str
    details: Mapping[str, object]
    done: str

    def keep(self, session: Session, now: datetime, order_id: UUID | None) -> Applied:
        """Make it a finding."""
        findings.find(session, self.kind, self.subject, self.details, self.done, now, order_id)
        return Applied(Outcome.FOUND, order_id, f"{self.kind}: {self.done}")


def as_uuid(text: str) -> UUID | None:
    """Read an id out of metadata; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def unknown_order(checkout: Checkout, named: str) -> Objection:
    """The session names an order that does not exist."""
    # Whoever made the session may have written anything there: no more of it than an id has.
    details = {**_of(checkout), "named": named[:36]}
    return Objection(
        FindingKind.ORDER_UNKNOWN, checkout.session_id, details, "nothing: there is no such order"
    )


def another_order(session: Session, case: Case) -> Objection | None:
    """Whether the session is of another order, or of this one for another person or product."""
    order, checkout = case.order, case.checkout
    details: dict[str, object] = {}
    for name, own in (("user_id", order.user_id), ("product_id", order.product_id)):
        given = checkout.metadata.get(name, "").strip()
        if given and as_uuid(given) != own:
            details |= {name: own, f"{name}_named": given[:36]}
    bearer = orders.another_with(session, order.order_id, checkout.session_id, case.payment_id)
    if bearer is not None:
        details["other_order_id"] = bearer
    if not details:
        return None
    return Objection(
        FindingKind.SESSION_OF_ANOTHER_ORDER,
        checkout.session_id,
        {**_of(checkout), **details},
        "the order was not touched",
    )


def wrong_payment(session: Session, case: Case) -> Objection | None:
    """Whether what was paid must not settle the order: not the amount, paid before, or cancelled."""
    if case.counts:
        return None
    order, subject = case.order, case.payment_id or case.checkout.session_id
    back = payment_rows.refunded(session, case.payment_id) if case.payment_id else 0
    details = {**_of(case.checkout), "order_status": order.status, "refunded": back}
    done = "given back at Stripe" if back and back >= (case.checkout.amount or 0) else None
    if not case.agrees:
        (amount, currency), *_ = [seen for seen in case.came_in if seen != _expected(case)]
        details |= {"expected": order.amount, "expected_currency": order.currency.lower()}
        details |= {"received": amount, "received_currency": currency}
        details |= {"paid_with": case.other_payment} if case.other_payment else {}
        return Objection(FindingKind.AMOUNT_MISMATCH, subject, details, done or "nothing was activated")
    if case.other_payment is not None:
        details |= {"paid_with": case.other_payment, "paid_again_with": subject}
        done = done or "nothing: one of the two is to be given back"
        return Objection(FindingKind.SECOND_PAYMENT, subject, details, done)
    if case.settled is None and order.status not in _SETTLES:
        done = done or f"nothing was activated: the order is {order.status}"
        return Objection(FindingKind.PAID_AFTER_CANCELLATION, subject, details, done)
    return None


def settled_elsewhere(case: Case) -> Objection:
    """The settlement of another order has the session or the payment."""
    return Objection(
        FindingKind.SESSION_OF_ANOTHER_ORDER,
        case.checkout.session_id,
        _of(case.checkout),
        "the order was not touched: the payment has settled another",
    )


def _expected(case: Case) -> tuple[int, str]:
    return case.order.amount, case.order.currency.lower()


def _of(checkout: Checkout) -> dict[str, object]:
    payment = checkout.payment
    return {
        "session_id": checkout.session_id,
        "payment_intent": payment.payment_id if payment else None,
        "payment_status": checkout.payment_status,
        "amount": checkout.amount,
        "currency": checkout.currency,
    }
