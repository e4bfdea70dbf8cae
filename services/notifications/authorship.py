"""Which deliveries the fleet has addressed itself, from the person's account: their ids say so.

The platform's rows have no place for it, and a row of ours for each would be one more write a message. Ids
that others make are random, of version 4; these are made of what they belong to, of version 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Collection


def first(notification_id: UUID, channel: str) -> UUID:
    """The id of the delivery that the fleet gives a notification on a channel."""
    return uuid5(notification_id, channel)


def after(delivery_id: UUID) -> UUID:
    """The id of the delivery that goes to another address instead of this one."""
    return uuid5(delivery_id, "anew")


def ours(delivery_id: UUID, notification_id: UUID, channel: str, known: Collection[UUID]) -> bool:
    """Whether a delivery is the fleet's first on its channel, or has come after it.

    Args:
        delivery_id: The delivery.
        notification_id: Its notification.
        channel: Its channel.
        known: All deliveries of the notification.
    """
    each = first(notification_id, channel)
    while each in known and each != delivery_id:
        each = after(each)
    return each == delivery_id
