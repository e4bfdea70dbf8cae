"""Settles an order: what a payment that has come in means for order, client and dossier, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db import json_rows
from db.models.enums import EventType, OrderStatus
from db.queries import happenings, orders, reminder_links, settlements
from db.queries.settlements import NewSettlement
from services.dossiers.opening import open_dossier
from services.payments.words import Outcome

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from services.payments.case import Case
    from services.payments.words import Applied


def settle(session: Session, case: Case) -> Applied | None:
    """Settle an order that has been paid and against which nothing speaks.

    The settlement's row comes first: its keys are what makes all the rest happen once. What the application
    has settled by itself only gets that row; what it has left half done is completed.

    Returns:
        What became of it; None where order, session or payment turn out to be settled, and nothing was.
    """
    order, checkout = case.order, case.checkout
    new = NewSettlement(
        order_id=order.order_id,
        session_id=checkout.session_id,
        payment_id=case.payment_id,
        amount=order.amount,
        currency=order.currency,
        learned=case.learned,
        settled_at=case.now,
    )
    if not settlements.put(session, new):
        return None
    paid_at = _paid_at(case)
    reminder = reminder_links.mark_paid(session, order.order_id, checkout.session_id, paid_at, case.now)
    if order.status == OrderStatus.REFUNDED or (order.status == OrderStatus.PAID and order.dossier_id):
        if order.dossier_id:
            settlements.name_dossier(session, order.order_id, order.dossier_id)
        return case.applied(Outcome.ALREADY, "the application had settled it")
    customer_id = checkout.customer_id or (checkout.payment.customer_id if checkout.payment else None)
    orders.mark_paid(session, order.order_id, checkout.session_id, case.payment_id, customer_id, paid_at)
    orders.activate(session, order.user_id, customer_id)
    dossier_id = open_dossier(session, order, case.now)
    settlements.name_dossier(session, order.order_id, dossier_id)
    _announce(session, case, dossier_id, reminder)
    return case.applied(Outcome.SETTLED, f"dossier {dossier_id}")


def _paid_at(case: Case) -> datetime:
    """When the payment was begun; what Stripe tells days late was paid days ago."""
    payment = case.checkout.payment
    return min(payment.created_at, case.now) if payment else case.now


def _announce(session: Session, case: Case, dossier_id: UUID, reminder: int | None) -> None:
    """Write the events; who was reminded is welcomed back, by the number of the reminder."""
    order = case.order
    payload = {
        "order_id": order.order_id,
        "dossier_id": dossier_id,
        "user_id": order.user_id,
        "product_id": order.product_id,
        "amount": order.amount,
        "currency": order.currency,
    }
    opened = payload if reminder is None else {**payload, "reminder": reminder}
    events = [
        {
            "entity_type": "dossier",
            "entity_id": dossier_id,
            "event_type": EventType.DOSSIER_CREATED,
            "payload": opened,
        },
        {
            "entity_type": "order",
            "entity_id": order.order_id,
            "event_type": EventType.PAYMENT_RECEIVED,
            "payload": payload,
        },
    ]
    happenings.write_missing(session, json_rows.dumps(events))
