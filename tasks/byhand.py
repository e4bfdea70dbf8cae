"""Tasks for the hand: one item, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payments.words import Learned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

    from services.notifications.delivery import Drain
    from services.payments.asking import Cashier

SEND_ONE: Final = "deliveries.send_one"
SETTLE_ORDER: Final = "payments.settle_order"


def register(app: Celery, drains: Mapping[str, Drain], cashier: Cashier) -> None:
    """Make the single-item tasks known to the app.

    Args:
        app: The Celery app.
        drains: The drain of each channel.
        cashier: Asks Stripe, and settles.
    """

    @app.task(name=SEND_ONE, shared=False)
    def send_one(channel: str, delivery_id: str) -> str:
        """Send one delivery now, due or not."""
        if channel not in drains:
            raise ValueError(f"nothing sends on {channel}; there are {', '.join(drains)}")
        settlement = drains[channel].one(UUID(delivery_id))
        if settlement is None:
            return f"not queued on {channel}, or in another's hands"
        return f"{settlement.state} ({settlement.code})" if settlement.code else settlement.state

    @app.task(name=SETTLE_ORDER, shared=False)
    def settle_order(order_id: str) -> str:
        """Bring one order to where Stripe says that its payment is."""
        applied = cashier.order(UUID(order_id), Learned.HAND)
        return f"{applied.outcome} {applied.detail}".rstrip()

    del send_one, settle_order
