"""Gives up orders that are still not paid when their ladder of reminders has come to its end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.models.enums import EventType
from db.queries import cancellations, happenings, notices, orders, settlements
from providers.errors import Misconfigured, ProviderError, RateLimited
from services.payments import ladder
from services.payments.checkouts import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.orders_to_pay import OrderToPay
    from services.payments.checkouts import Checkouts
    from services.payments.ladder import ReminderPolicy

log = logging.getLogger(__name__)

BATCH: Final = 100
TEMPLATE: Final = "ORDER_CANCELLED"
EXHAUSTED: Final = "reminders_exhausted"
"""The code of the event: no payment has failed, none has come."""


@dataclass(frozen=True)
class Cancelling:
    """Cancels exhausted orders, each under its lock and after a last look at Stripe.

    Attributes:
        sessions: Makes sessions.
        checkouts: Looks, settles and closes.
        clock: Gives the time, aware, UTC.
        policy: Where a ladder ends, and after how long.
    """

    sessions: sessionmaker[Session]
    checkouts: Checkouts
    clock: Callable[[], datetime]
    policy: ReminderPolicy

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Cancel all, until Stripe lets nobody in or ``should_stop`` says so; return how many.

        An order about which Stripe does not answer is left to the next time.
        """
        total, after = 0, None
        while True:
            with self.sessions() as session:
                terms = ladder.terms(self.policy, self.clock())
                found = cancellations.exhausted(session, terms, after, BATCH)
            for order_id in found:
                if should_stop():
                    return total
                try:
                    total += self._cancel(order_id)
                except (RateLimited, Misconfigured) as error:
                    log.warning("Stripe lets nobody in (%s): orders are cancelled another time", error.code)
                    return total
                except ProviderError as error:
                    log.warning("order %s could not be looked at: %s", order_id, error.code)
            if len(found) < BATCH:
                return total
            after = found[-1]

    def _cancel(self, order_id: UUID) -> bool:
        order = self.checkouts.read(order_id)
        if order is None or self.checkouts.wind_up(order, self.checkouts.look(order)) is not Place.CLOSED:
            return False
        with self.sessions.begin() as session:
            now = self.clock()
            locked = orders.lock(session, order_id)
            if (
                locked is None
                or locked.session_id != order.session_id
                or settlements.of(session, order_id) is not None
                or not cancellations.is_exhausted(session, ladder.terms(self.policy, now), order_id)
                or not cancellations.cancel(session, order_id, now)
            ):
                return False
            _tell(session, order)
        log.info("order %s is cancelled: its last reminder was not followed by a payment", order_id)
        return True


def _tell(session: Session, order: OrderToPay) -> None:
    event = {
        "entity_type": "order",
        "entity_id": order.order_id,
        "event_type": EventType.PAYMENT_FAILED,
        "payload": {"order_id": order.order_id, "code": EXHAUSTED},
    }
    happenings.write(session, json_rows.dumps([event]))
    notice = {
        "notice_key": f"cancelled:{order.order_id}",
        "user_id": order.user_id,
        "template_code": TEMPLATE,
        "order_id": order.order_id,
        "dossier_id": None,
        "payload": {"amount": order.amount, "currency": order.currency, "product": order.product},
        "action_url": "/dashboard",
    }
    notices.put(session, json_rows.dumps([notice]))
