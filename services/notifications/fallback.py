"""One channel gives way to another: WhatsApp to SMS, once a notification, and never after a delivery.

It is decided here alone. Whoever learns that a message will not arrive (the settling of a refusal, a
callback, a look-up) asks here, in the transaction that writes down what was learnt.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Literal

from db.queries import fallbacks, payment_reminders
from services import witness
from services.notifications import catalogue, journey, reach
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.fallbacks import GivenWay

log = logging.getLogger(__name__)

Reason = Literal["REFUSED", "FAILED", "NOT_DELIVERED"]


def give_way(session: Session, delivery_ids: Sequence[UUID], reason: Reason, now: datetime) -> list[UUID]:
    """Give the notifications of these deliveries their next channel, where they have one and need it.

    The deliveries are locked first, in the order of their ids, so that two who decide at once decide once.
    A notification that has a delivery on the next channel already, whoever inserted it, gets no other.

    Args:
        session: The transaction that has written the deliveries' state.
        delivery_ids: The deliveries in question; those that don't call for it are passed over.
        reason: REFUSED at the send or FAILED by callback: the delivery's status is FAILED. NOT_DELIVERED in
            time: it is SENT, and no receipt says that it was delivered.
        now: The time to record.

    Returns:
        The deliveries that gave way.
    """
    if not delivery_ids:
        return []
    given = fallbacks.give_way(session, delivery_ids, json.dumps(catalogue.WAYS), reason, now)
    for row in given:
        log.info(
            "delivery %s gave way to delivery %s (%s to %s): %s",
            *(row.delivery_id, row.to_delivery_id, row.channel, row.to_channel, reason),
            extra=_about(row),
        )
    witness.tell(session, journey.fallbacks, given, reason, now)
    reminders = [row.to_delivery_id for row in given if row.template_code == Template.REMINDER]
    payment_reminders.given_way(session, reminders, now)
    reach.prioritise(session, {row.notification_id: catalogue.route(row.template_code) for row in given})
    return [row.delivery_id for row in given]


def _about(row: GivenWay) -> dict[str, str]:
    about = {"delivery_id": str(row.delivery_id)}
    return about | {"event_id": str(row.event_id)} if row.event_id else about
