"""An order beside what Stripe says of one session of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from db.models.enums import OrderStatus
from services.payments.words import Applied

if TYPE_CHECKING:
    from datetime import datetime

    from db.queries.orders import OrderFacts
    from db.queries.settlements import Settled
    from providers.payments import Checkout
    from services.payments.words import Learned, Outcome

_PAID: Final = frozenset({"paid", "no_payment_required"})


@dataclass(frozen=True, slots=True)
class Case:
    """All that is looked at when an order is brought to where Stripe says that it is.

    Attributes:
        order: As it is, locked.
        settled: With what it was settled, if it was.
        checkout: What Stripe says.
        learned: How the fleet came to ask.
        now: UTC.
    """

    order: OrderFacts
    settled: Settled | None
    checkout: Checkout
    learned: Learned
    now: datetime

    @property
    def paid(self) -> bool:
        """Whether Stripe has the money, or wants none."""
        return self.checkout.payment_status in _PAID

    @property
    def payment_id(self) -> str | None:
        """Stripe's payment intent, where there is any."""
        return self.checkout.payment.payment_id if self.checkout.payment else None

    @property
    def counts(self) -> bool:
        """Whether this payment is the one that the order was settled with."""
        if self.settled is None:
            return False
        if self.settled.payment_id is not None and self.payment_id is not None:
            return self.settled.payment_id == self.payment_id
        return self.settled.session_id == self.checkout.session_id

    @property
    def other_payment(self) -> str | None:
        """What the order was paid with, where that is another payment: its id, or else its session's."""
        if self.settled is not None:
            return None if self.counts else self.settled.payment_id or self.settled.session_id
        if self.order.status not in {OrderStatus.PAID, OrderStatus.REFUNDED}:
            return None
        return self.order.payment_id if self.order.payment_id != self.payment_id else None

    @property
    def came_in(self) -> tuple[tuple[int | None, str], ...]:
        """The amounts and currencies that have to be the order's, the currencies in lower case."""
        checkout, payment = self.checkout, self.checkout.payment
        seen = (checkout.amount, (checkout.currency or "").lower())
        return (seen, (payment.received, payment.currency.lower())) if payment else (seen,)

    @property
    def agrees(self) -> bool:
        """Whether what came in is what the order costs."""
        return set(self.came_in) == {(self.order.amount, self.order.currency.lower())}

    def applied(self, outcome: Outcome, detail: str = "") -> Applied:
        """Say what became of it."""
        return Applied(outcome, self.order.order_id, detail)
