"""Brings an order to where Stripe says that its payment is: the one way, whoever has heard of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from db.queries import orders, settlements
from services.payments import failures, guards, refunds
from services.payments.case import Case
from services.payments.disputes import apply_dispute
from services.payments.settling import settle
from services.payments.words import Applied, Learned, Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from providers.payments import Checkout

__all__ = ["Applied", "Learned", "Outcome", "apply", "apply_dispute"]

log = logging.getLogger(__name__)


def apply(session: Session, checkout: Checkout, learned: Learned, now: datetime) -> Applied:
    """Bring the order of a Checkout Session to where the session and its payment are.

    However often, by how many at once and in whatever order it is told, also with what Stripe has said
    before: the end is the same. The order is locked first, so that all of one order wait for each other here.
    What does not agree is a finding, and no error.

    Args:
        session: The transaction; a failure takes all of it back.
        checkout: As Stripe has it, with its payment.
        learned: How the fleet came to ask.
        now: UTC.

    Returns:
        What this call has changed, or why it has changed nothing.
    """
    named = checkout.metadata.get("order_id", "").strip()
    order_id = guards.as_uuid(named) if named else orders.of_session(session, checkout.session_id)
    order = orders.lock(session, order_id) if order_id is not None else None
    if order is None:
        if named:
            return guards.unknown_order(checkout, named).keep(session, now, None)
        return Applied(Outcome.FOREIGN, detail="it names no order, and no order names it")
    # Read once the lock is had: whoever had it before may have settled.
    case = Case(order, settlements.of(session, order.order_id), checkout, learned, now)
    objection = guards.another_order(session, case)
    if objection is not None:
        return objection.keep(session, now, order.order_id)
    applied = _converge(session, case)
    told = (order.order_id, applied.outcome, checkout.session_id)
    log.info("order %s: %s (session %s)", *told, extra={"order_id": str(order.order_id)})
    return applied


def _converge(session: Session, case: Case) -> Applied:
    more = refunds.write_down(session, case)
    if not case.paid:
        return case.applied(failures.fail(session, case))
    objection = guards.wrong_payment(session, case)
    if objection is None:
        applied = case.applied(Outcome.ALREADY) if case.counts else settle(session, case)
        back = refunds.give_back(session, case.order.order_id, more=more) if applied else None
        if applied is not None:
            return case.applied(back, applied.detail) if back else applied
        objection = guards.settled_elsewhere(case)
    elif case.settled is not None:
        refunds.give_back(session, case.order.order_id, more=more)
    return objection.keep(session, case.now, case.order.order_id)
