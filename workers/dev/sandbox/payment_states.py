"""A Checkout Session with its payment, as the shop's people want to see it: one state, amounts in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.notifications import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.dev.sandbox.stripe_objects import Charge, CheckoutSession, Dispute, PaymentIntent
    from workers.dev.sandbox.stripe_store import StripeStore

_TONES = {
    **dict.fromkeys(("paid", "nothing to pay"), "delivered"),
    **dict.fromkeys(("card declined", "settling", "partly refunded", "disputed"), "waiting"),
    **dict.fromkeys(("payment failed", "expired", "refunded", "dispute lost"), "abandoned"),
}
"""How a state looks; the style sheet knows these words from callbacks."""


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A session with all that hangs on it; what there is not is None."""

    session: CheckoutSession
    intent: PaymentIntent | None
    charge: Charge | None
    dispute: Dispute | None

    @classmethod
    def of(cls, store: StripeStore, session: CheckoutSession) -> PaymentState:
        """How a session stands."""
        intent = store.intents.get(session.payment_intent or "")
        charge = store.charges.get((intent and intent.latest_charge) or "")
        disputes = reversed(store.disputes) if charge is not None and charge.disputed else ()
        dispute = next((each for each in disputes if charge and each.charge == charge.id), None)
        return cls(session, intent, charge, dispute)

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.session.status == "expired":
            return "expired"
        if self.session.status == "open":
            return "card declined" if self.intent and self.intent.failure else "open"
        if self.intent is None:
            return "nothing to pay"
        if self.intent.status != "succeeded":
            return "settling" if self.intent.status == "processing" else "payment failed"
        return self._reversal() or "paid"

    def _reversal(self) -> str:
        if self.dispute is not None and self.dispute.status != "won":
            return "dispute lost" if self.dispute.status == "lost" else "disputed"
        if self.charge is not None and self.charge.amount_refunded:
            return "partly refunded" if self.left else "refunded"
        return ""

    @property
    def tone(self) -> str:
        """How that looks."""
        return _TONES.get(self.state, "")

    @property
    def total(self) -> str:
        """The amount, as people write it."""
        return self._money(self.session.order.amount)

    @property
    def words(self) -> str:
        """What is bought."""
        return ", ".join(item.name for item in self.session.order.line_items)

    @property
    def email(self) -> str:
        """Who buys it."""
        return self.session.email or self.session.order.customer_email or ""

    @property
    def began(self) -> datetime:
        """When the session was made."""
        return moment(self.session.created)

    @property
    def left(self) -> int:
        """What can still be given back, in the smallest unit of the currency."""
        if self.charge is None or self.charge.status != "succeeded":
            return 0
        return self.charge.amount - self.charge.amount_refunded

    @property
    def left_words(self) -> str:
        """The same, as people write it."""
        return self._money(self.left)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The particulars that there are, by name."""
        return [(name, value) for name, value in self._facts() if value]

    def _facts(self) -> Iterator[tuple[str, str]]:
        session, intent, charge, dispute = self.session, self.intent, self.charge, self.dispute
        yield "Session", session.id
        yield "Client", self.email
        yield "Customer", session.customer or ""
        yield "Began", _time(session.created)
        yield "Expires", _time(session.order.expires_at) if session.status == "open" else ""
        if intent is not None:
            yield "Payment intent", f"{intent.id}, {intent.status}"
            yield "Way", intent.method
            yield "Failure", f"{intent.failure.code}: {intent.failure.message}" if intent.failure else ""
        if charge is not None:
            yield "Charge", f"{charge.id}, {charge.status}"
            yield "Given back", self._money(charge.amount_refunded) if charge.amount_refunded else ""
        if dispute is not None:
            yield "Dispute", f"{dispute.id}, {dispute.reason}, {dispute.status}"
        for name, value in session.order.metadata.items():
            yield f"metadata.{name}", value

    def _money(self, amount: int) -> str:
        return words.money(amount, self.session.order.currency, "en")


def moment(seconds: int) -> datetime:
    """Unix time as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _time(seconds: int) -> str:
    return f"{moment(seconds):%Y-%m-%d %H:%M:%S} UTC"
