"""Whether a payment of Stripe's and the order that it belongs to agree."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from db.models.enums import OrderStatus
from services.payments.asking import SUCCEEDED

if TYPE_CHECKING:
    from db.queries.reconciling import PaidOrder
    from providers.payments import Payment


class Verdict(Enum):
    """What follows from the comparison."""

    AGREES = auto()
    ASK = auto()
    """Stripe knows more than the order: ask for the session and bring the order there."""
    AMOUNT = auto()
    """The order is PAID with another amount, or in another currency."""
    NOT_GIVEN_BACK = auto()
    """The order is REFUNDED, and Stripe still has money of it."""
    IGNORED = auto()
    """No money has come."""


def compare(payment: Payment, order: PaidOrder | None) -> Verdict:
    """Compare a payment with its order; None where no order is known to be its."""
    if payment.status != SUCCEEDED:
        return Verdict.IGNORED
    if order is None or order.status not in {OrderStatus.PAID, OrderStatus.REFUNDED}:
        return Verdict.ASK
    if order.paid_with != payment.payment_id:
        # A second payment; or the order names none yet.
        known = order.known_refunded is not None and order.paid_with is not None
        return Verdict.ASK if not known or payment.refunded > (order.known_refunded or 0) else Verdict.AGREES
    if (payment.received, payment.currency.lower()) != (order.amount, order.currency.lower()):
        return Verdict.AMOUNT
    if order.status == OrderStatus.REFUNDED:
        return Verdict.AGREES if payment.refunded >= payment.received else Verdict.NOT_GIVEN_BACK
    more = payment.refunded > (order.known_refunded or 0)
    return Verdict.ASK if more or payment.refunded >= payment.received > 0 else Verdict.AGREES
