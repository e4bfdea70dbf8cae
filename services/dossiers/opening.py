"""Opens the dossier of a paid order, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.queries import dossiers, orders

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.orders import OrderFacts


def open_dossier(session: Session, order: OrderFacts, now: datetime) -> UUID:
    """Give an order its dossier, with the steps of its product, the first one started, and link it.

    What the application has done of it already is taken over, and completed.

    Args:
        session: The transaction, which holds the order's lock: with it this happens once.
        order: As it is under that lock.
        now: UTC.

    Returns:
        The dossier.
    """
    dossier_id = order.dossier_id or dossiers.of_order(session, order.user_id, order.order_id)
    if dossier_id is None:
        dossier_id = dossiers.open_one(session, order.user_id, order.product_id, order.order_id)
    dossiers.begin_steps(session, dossier_id, now)
    if order.dossier_id is None:
        orders.link_dossier(session, order.order_id, dossier_id)
    return dossier_id
