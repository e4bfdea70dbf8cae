"""A cardholder disputes a payment: people hear of it at once, and how it ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from db.queries import findings as rows
from db.queries import orders, payment_rows
from services.payments import findings
from services.payments.words import Applied, FindingKind, Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from providers.payments import Dispute

log = logging.getLogger(__name__)

_CLOSED: Final = frozenset({"won", "lost", "prevented", "warning_closed"})
_REOPENED: Final = "appeal_"


def apply_dispute(session: Session, dispute: Dispute, now: datetime) -> Applied:
    """Write down that an order's payment is disputed, or how the dispute has ended.

    Which order it is, is known once the payment's session was applied.

    Args:
        session: The transaction.
        dispute: As Stripe has it now.
        now: UTC.

    Returns:
        DISPUTED with the order, or FOREIGN where the payment is no order's.
    """
    order_id = orders.of_payment(session, dispute.payment_id) if dispute.payment_id else None
    if dispute.payment_id is None or order_id is None or orders.lock(session, order_id) is None:
        return Applied(Outcome.FOREIGN, detail=f"payment {dispute.payment_id} is of no order")
    payment_rows.mark_disputed(session, dispute.payment_id)
    if _is_stale(session, dispute):
        return Applied(Outcome.DISPUTED, order_id, "it is closed, as was known")
    details = {
        "status": dispute.status,
        "reason": dispute.reason,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "payment_intent": dispute.payment_id,
    }
    closed = dispute.status in _CLOSED
    done = f"closed: {dispute.status}" if closed else "an alert; it is to be answered at Stripe"
    new = findings.find(session, FindingKind.DISPUTE, dispute.dispute_id, details, done, now, order_id)
    if new or not closed:
        log.error("dispute %s of order %s is %s", dispute.dispute_id, order_id, dispute.status)
    return Applied(Outcome.DISPUTED, order_id, dispute.status)


def _is_stale(session: Session, dispute: Dispute) -> bool:
    """Whether it was asked for before it closed, and comes after. Only an appeal opens it again."""
    if dispute.status in _CLOSED or dispute.status.startswith(_REOPENED):
        return False
    known = rows.about(session, FindingKind.DISPUTE, dispute.dispute_id)
    return known is not None and known.details.get("status") in _CLOSED
