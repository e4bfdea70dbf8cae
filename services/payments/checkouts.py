"""Checkout Sessions of unpaid orders: the old ones are closed, fresh ones made in their place."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from db.models.enums import OrderStatus
from db.queries import orders, orders_to_pay, settlements
from providers.errors import Transient
from providers.payments import Checkout, NewCheckout
from services.payments.words import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.orders_to_pay import OrderToPay
    from providers.payments import CheckoutMaker
    from services.payments.asking import Cashier

log = logging.getLogger(__name__)

LIFE: Final = timedelta(hours=23)
"""Stripe allows 24 hours from when the session is made: by its own clock, and after the pauses on the way."""

ENOUGH: Final = timedelta(hours=1)
"""Whoever comes to pay has at least so much time to do it."""

_SUCCESS: Final = "/payment/success?session_id={CHECKOUT_SESSION_ID}"
_CANCELLED: Final = "/payment/cancelled"
_KEPT: Final = "http_500"
"""Stripe keeps such an answer under the key, and gives it again for a day (its "Idempotent requests")."""

_PAID: Final = frozenset({"paid", "no_payment_required"})
_FAILED: Final = frozenset({"requires_payment_method", "canceled"})
_ROUNDS: Final = 3


class Place(StrEnum):
    """How it stands with paying an order."""

    OPEN = "OPEN"
    PAID = "PAID"
    UNDER_WAY = "UNDER_WAY"
    """A bank debit that has not come in yet."""
    CLOSED = "CLOSED"
    """There is nothing to pay any more, or nothing to pay with yet."""


class Named(Enum):
    """What became of making a session the order's current one."""

    DONE = auto()
    MOVED = auto()
    """The order has another session by now than when it was looked at."""
    OVER = auto()
    """The order does not wait to be paid any more."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where an order is paid.

    Attributes:
        place: How it stands.
        url: Stripe's own page, where it is OPEN.
    """

    place: Place
    url: str | None = None


@dataclass(frozen=True)
class Checkouts:
    """Keeps orders payable. Safe to use from many threads at once.

    What it is asked to do raises ``ProviderError`` where Stripe does not answer; to ask again is harmless.

    Attributes:
        sessions: Makes sessions of the database.
        cashier: Asks Stripe, and settles what turns out to be paid.
        maker: Makes and closes Checkout Sessions.
        clock: Gives the time, aware, UTC.
        app_url: The platform's site, where clients come back to.
    """

    sessions: sessionmaker[Session]
    cashier: Cashier
    maker: CheckoutMaker
    clock: Callable[[], datetime]
    app_url: str

    def live_checkout(self, order_id: UUID, number: int) -> Way:
        """A session of the order in which it can be paid at this moment: its own, or else a fresh one.

        Args:
            order_id: Which order.
            number: The reminder whose link was followed: a fresh session is recorded as made for it.
        """
        for _ in range(_ROUNDS):
            order = self.read(order_id)
            if order is None or order.status != OrderStatus.PENDING:
                paid = order is not None and order.status == OrderStatus.PAID
                return Way(Place.PAID if paid else Place.CLOSED)
            now, found = self.clock(), self.look(order)
            if found is not None and _serves(found, order, now):
                return Way(Place.OPEN, found.url)
            place = self.wind_up(order, found)
            if place is not Place.CLOSED:
                return Way(place)
            hour = now.replace(minute=0, second=0, microsecond=0)
            keys = [f"link:{order_id}:{moment:%Y%m%dT%H%M}" for moment in (hour, now)]
            fresh = self.fresh(order, keys, hour + LIFE)
            if self._name(order, number, fresh):
                return Way(Place.OPEN, fresh.url)
        return Way(Place.CLOSED)

    def read(self, order_id: UUID) -> OrderToPay | None:
        """An order as it is now; None where there is none."""
        with self.sessions() as session:
            return orders_to_pay.of(session, order_id, self.clock())

    def look(self, order: OrderToPay) -> Checkout | None:
        """The order's session at this moment, settled if it was paid; None where there is none of its own."""
        if order.session_id is None:
            if order.payment_id is not None:
                self.cashier.payment(order.payment_id, Learned.CHECK)
            return None
        found = self.cashier.provider.checkout(order.session_id)
        if found is None:
            return None
        self.cashier.take(found, Learned.CHECK)
        # One that names another order is not ours to close.
        return found if found.metadata.get("order_id", str(order.order_id)) == str(order.order_id) else None

    def wind_up(self, order: OrderToPay, found: Checkout | None) -> Place:
        """Close whatever is open of an order, ``found`` among it, as ``look`` has just found it.

        Returns:
            CLOSED where nothing can be paid any more; PAID or UNDER_WAY where something was.
        """
        place = _place(found)
        if place in {Place.PAID, Place.UNDER_WAY}:
            return place
        still_open = [found.session_id] if found is not None and place is Place.OPEN else []
        places = [self.close(session_id) for session_id in [*still_open, *order.other_sessions]]
        return next((place for place in places if place is not Place.CLOSED), Place.CLOSED)

    def fresh(self, order: OrderToPay, keys: Sequence[str], expires_at: datetime) -> Checkout:
        """Make a session, or find the one that was made so before.

        Args:
            order: What for.
            keys: Idempotency keys. The next one is for when Stripe has kept a failure under the one before,
                or a session that has ended since.
            expires_at: When the session closes.
        """
        request = self._request(order, expires_at)
        trouble = Transient("no_fresh_session", "every session under its keys has ended")
        for key in keys:
            try:
                made = self.maker.create(request, f"{key}:{_mark(request)}")
            except Transient as error:
                if error.code != _KEPT:
                    raise
                trouble = error
                continue
            if made.session_id not in {order.session_id, *order.other_sessions}:
                return made
        raise trouble

    def name(self, session: Session, order: OrderToPay, number: int, fresh: Checkout) -> Named:
        """Lock the order, and make a fresh session its current one if it still is as it was looked at."""
        now = orders.lock(session, order.order_id)
        if now is None or now.status != OrderStatus.PENDING or settlements.of(session, order.order_id):
            return Named.OVER
        if now.session_id not in {order.session_id, fresh.session_id}:
            return Named.MOVED
        orders_to_pay.name_session(
            session, order.order_id, number, fresh.session_id, fresh.created_at, fresh.expires_at
        )
        return Named.DONE

    def close(self, session_id: str) -> Place:
        """Close a session; one that turns out to be paid is settled."""
        found = self.maker.expire(session_id)
        if found is not None and found.status == "complete":
            self.cashier.take(found, Learned.CHECK)
        return _place(found)

    def _name(self, order: OrderToPay, number: int, fresh: Checkout) -> bool:
        with self.sessions.begin() as session:
            named = self.name(session, order, number, fresh)
        if named is Named.DONE:
            log.info("order %s has the fresh session %s", order.order_id, fresh.session_id)
            return True
        self.close(fresh.session_id)
        return False

    def _request(self, order: OrderToPay, expires_at: datetime) -> NewCheckout:
        site = self.app_url.rstrip("/")
        return NewCheckout(
            reference=str(order.order_id),
            product=order.product,
            amount=order.amount,
            currency=order.currency,
            metadata={
                "order_id": str(order.order_id),
                "user_id": str(order.user_id),
                "product_id": str(order.product_id),
            },
            success_url=site + _SUCCESS,
            cancel_url=site + _CANCELLED,
            expires_at=expires_at,
            customer_id=order.customer_id,
            email=order.email,
        )


def _serves(found: Checkout, order: OrderToPay, now: datetime) -> bool:
    """Whether whoever comes now can pay in it what the order costs."""
    costs = (found.amount, (found.currency or "").lower()) == (order.amount, order.currency.lower())
    return found.url is not None and costs and found.expires_at - now >= ENOUGH


def _place(found: Checkout | None) -> Place:
    if found is None or found.status == "expired":
        return Place.CLOSED
    if found.payment_status in _PAID:
        return Place.PAID
    if found.status == "open":
        return Place.OPEN
    failed = found.payment is not None and found.payment.status in _FAILED
    return Place.CLOSED if failed else Place.UNDER_WAY


def _mark(request: NewCheckout) -> str:
    """Tells one request from another: where anything of it has changed, it is another request."""
    said = json.dumps(asdict(request), sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()[:16]
