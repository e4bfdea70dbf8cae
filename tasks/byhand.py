"""Tasks for the hand: one item, now."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

    from services.notifications.delivery import Drain


def register(app: Celery, drains: Mapping[str, Drain]) -> None:
    """Make the single-item tasks known to the app.

    Args:
        app: The Celery app.
        drains: The drain of each channel.
    """

    @app.task(name="deliveries.send_one")
    def send_one(channel: str, delivery_id: str) -> str:
        """Send one delivery now, due or not."""
        if channel not in drains:
            raise ValueError(f"nothing sends on {channel}; there are {', '.join(drains)}")
        settlement = drains[channel].one(UUID(delivery_id))
        if settlement is None:
            return "not queued, or in another's hands"
        return f"{settlement.state} ({settlement.code})" if settlement.code else settlement.state

    del send_one
