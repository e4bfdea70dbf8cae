"""Money given back: in part it is written down, in full the order is REFUNDED and the client is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from db import json_rows
from db.models.enums import OrderStatus
from db.queries import dossiers, notices, orders, payment_rows
from db.queries.payment_rows import Said
from services.payments.words import Outcome

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.orders import OrderFacts
    from services.payments.case import Case

TEMPLATE: Final = "PAYMENT_REFUNDED"
"""The words in which the client is told."""

# No order costs more: the column of its amount ends here, and Stripe's amounts in small currencies do not.
_MOST: Final = 2**31 - 1


def write_down(session: Session, case: Case) -> bool:
    """Keep what Stripe says of the payment.

    Returns:
        Whether more of it was given back than was known.
    """
    payment = case.checkout.payment
    if payment is None:
        return False
    said = Said(
        payment_id=payment.payment_id,
        order_id=case.order.order_id,
        session_id=case.checkout.session_id,
        status=payment.status,
        amount=min(payment.amount, _MOST),
        currency=payment.currency.lower(),
        refunded=min(payment.refunded, _MOST),
        disputed=payment.disputed,
        created_at=payment.created_at,
    )
    return payment_rows.record(session, said, case.now)


def give_back(session: Session, order_id: UUID, *, more: bool) -> Outcome | None:
    """Make an order REFUNDED when nothing is kept of what was paid for it, a second payment included.

    Of two payments for one order, either may be given back as the one too many: the order stays paid.

    Args:
        session: The transaction, which holds the order's lock.
        order_id: A settled order.
        more: Whether something was given back just now.

    Returns:
        What is new of it; None for nothing.
    """
    order = orders.lock(session, order_id)
    money = payment_rows.refunds(session, order_id)
    if order is not None and order.status == OrderStatus.PAID and 0 < money.paid <= money.refunded:
        orders.mark_refunded(session, order_id)
        notices.put(session, json_rows.dumps([_notice(session, order, money.refunded)]))
        return Outcome.REFUNDED
    return Outcome.PARTLY_REFUNDED if more else None


def _notice(session: Session, order: OrderFacts, amount: int) -> dict[str, object]:
    reference = dossiers.reference(session, order.dossier_id) if order.dossier_id else None
    payload = {"amount": amount, "currency": order.currency, "product": order.product}
    return {
        "notice_key": f"refund:{order.order_id}",
        "user_id": order.user_id,
        "template_code": TEMPLATE,
        "order_id": order.order_id,
        "dossier_id": order.dossier_id,
        "payload": {**payload, "reference": reference} if reference else payload,
        "action_url": f"/dossiers/{order.dossier_id}" if order.dossier_id else "/dashboard",
    }
