"""Following the link in a reminder: how its order stands, and where it is paid."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from db.models.enums import OrderStatus
from db.queries import reminder_links
from services.payments.checkouts import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.reminder_links import Linked
    from services.payments.checkouts import Checkouts

log = logging.getLogger(__name__)

# 128 bits or more, and nothing that the database would not take as text.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,86}")


class Stands(Enum):
    """How an order stands for who has followed a reminder's link."""

    OPEN = auto()
    """It can be paid."""
    UNDER_WAY = auto()
    """It is being paid in a way that takes days."""
    PAID = auto()
    CANCELLED = auto()
    REFUNDED = auto()
    CLOSED = auto()
    """It can't be paid, for another reason."""


_OF_STATUS: Final[Mapping[str, Stands]] = {
    OrderStatus.PENDING: Stands.OPEN,
    OrderStatus.PAID: Stands.PAID,
    OrderStatus.CANCELLED: Stands.CANCELLED,
    OrderStatus.REFUNDED: Stands.REFUNDED,
}


@dataclass(frozen=True, slots=True)
class Followed:
    """What a link is about. Nothing of it tells whose order it is.

    Attributes:
        order_id: The order.
        stands: How it stands.
        product: The product's name.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        locale: The language that the person has chosen.
        url: The provider's page where it is paid, for who was to be led on.
    """

    order_id: UUID
    stands: Stands
    product: str
    amount: int
    currency: str
    locale: str | None
    url: str | None = None


@dataclass(frozen=True)
class Following:
    """Knows where reminders' links lead. Safe to use from many threads at once.

    Attributes:
        sessions: Makes sessions.
        checkouts: Keeps orders payable.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    checkouts: Checkouts
    clock: Callable[[], datetime]

    def look(self, token: str) -> Followed | None:
        """What a link is about; changes nothing, and asks nobody. None where there is no such link."""
        linked = self._find(token)
        return None if linked is None else _followed(linked)

    def follow(self, token: str) -> Followed | None:
        """Note that somebody follows a link, and see to it that its order can be paid.

        Returns:
            As ``look``, with where it is paid if it stands OPEN. Without that, others were at the order all
            the time: to be asked again.

        Raises:
            ProviderError: Stripe does not answer.
        """
        linked = self._find(token)
        if linked is None:
            return None
        with self.sessions.begin() as session:
            reminder_links.click(session, linked.order_id, linked.number, self.clock())
        if _followed(linked).stands is not Stands.OPEN:
            return _followed(linked)
        way = self.checkouts.live_checkout(linked.order_id, linked.number)
        log.info("reminder %d of order %s was followed: %s", linked.number, linked.order_id, way.place)
        match way.place:
            case Place.OPEN:
                return replace(_followed(linked), url=way.url)
            case Place.PAID:
                return replace(_followed(linked), stands=Stands.PAID)
            case Place.UNDER_WAY:
                return replace(_followed(linked), stands=Stands.UNDER_WAY)
            case Place.CLOSED:
                return self.look(token)

    def _find(self, token: str) -> Linked | None:
        if not _TOKEN.fullmatch(token):
            return None
        with self.sessions() as session:
            return reminder_links.find(session, token)


def _followed(linked: Linked) -> Followed:
    return Followed(
        order_id=linked.order_id,
        stands=_OF_STATUS.get(linked.status, Stands.CLOSED),
        product=linked.product,
        amount=linked.amount,
        currency=linked.currency,
        locale=linked.locale,
    )
