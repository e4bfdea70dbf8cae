"""A payment that failed, and a session that ended without one, while the order waits to be paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from db import json_rows
from db.models.enums import EventType, OrderStatus
from db.queries import happenings, orders, payment_rows
from services.payments.words import Outcome

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.payments.case import Case

_FAILED: Final = frozenset({"requires_payment_method", "canceled"})


def fail(session: Session, case: Case) -> Outcome:
    """Tell of a failed payment once, and suspend who has not paid; the order stays PENDING.

    Returns:
        FAILED for a failure that was not known, EXPIRED where nothing more can come of the session, ALREADY
        for a failure that was known, else WAITING.
    """
    if case.order.status != OrderStatus.PENDING:
        return Outcome.WAITING
    payment = case.checkout.payment
    failed = payment is not None and payment.failure_key is not None and payment.status in _FAILED
    if failed and _tell(session, case):
        orders.suspend(session, case.order.user_id)
        return Outcome.FAILED
    over = case.checkout.status == "expired" or (payment is not None and payment.status == "canceled")
    if over and case.order.session_id in {None, case.checkout.session_id}:
        orders.suspend(session, case.order.user_id)
        return Outcome.EXPIRED
    return Outcome.ALREADY if failed else Outcome.WAITING


def _tell(session: Session, case: Case) -> bool:
    payment, order_id = case.checkout.payment, case.order.order_id
    if payment is None or payment.failure_key is None:
        return False
    if not payment_rows.put_failure(session, payment.failure_key, order_id, payment.failure_code, case.now):
        return False
    event = {
        "entity_type": "order",
        "entity_id": order_id,
        "event_type": EventType.PAYMENT_FAILED,
        "payload": {
            "order_id": order_id,
            "code": payment.failure_code,
            "payment_intent_id": payment.payment_id,
        },
    }
    happenings.write(session, json_rows.dumps([event]))
    return True
