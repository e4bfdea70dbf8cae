"""Asks Stripe for the thing as it is now, then brings its order there; no transaction is open meanwhile."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from db.queries import interventions, reconciling, session_checks
from services.payments import applying, findings
from services.payments.rehearsal import transaction
from services.payments.words import Applied, FindingKind, Learned, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.interventions import By
    from providers.payments import Checkout, Dispute, Payment, PaymentProvider

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(minutes=15)
"""However it came to a look at a session, none is needed for so long."""

SUCCEEDED: Final = "succeeded"
"""Stripe's word for a payment whose money has come."""


_STILL_TO_PAY: Final = frozenset({Outcome.WAITING, Outcome.FAILED, Outcome.EXPIRED})


class NothingToAskError(Exception):
    """An order with which Stripe can't be asked for anything; the text says why."""


@dataclass(frozen=True)
class Cashier:
    """Asks, then applies what Stripe says. Safe to use from many threads at once.

    What it is asked to do raises ``ProviderError`` where Stripe does not answer; nothing was changed then.

    Attributes:
        sessions: Makes sessions.
        provider: Whom to ask.
        clock: Gives the time, aware, UTC.
        dry_run: Whether to take back what was done, and only tell of it.
    """

    sessions: sessionmaker[Session]
    provider: PaymentProvider
    clock: Callable[[], datetime]
    dry_run: bool = False

    def checkout(self, session_id: str, learned: Learned, by: By | None = None) -> Applied:
        """Bring the order of a Checkout Session to where the session is. One call."""
        found = self.provider.checkout(session_id)
        return _unknown("session", session_id) if found is None else self.take(found, learned, by)

    def payment(self, payment_id: str, learned: Learned, by: By | None = None) -> Applied:
        """Bring the order of a payment to where it is. One call; two where it was made without a session."""
        found = self.provider.checkout_of(payment_id)
        if found is not None:
            return self.take(found, learned, by)
        payment = self.provider.payment(payment_id)
        return _unknown("payment", payment_id) if payment is None else self._without_session(payment)

    def listed(self, payment: Payment, learned: Learned) -> Applied:
        """The same for a payment that one of Stripe's lists has just shown. One call."""
        found = self.provider.checkout_of(payment.payment_id)
        return self._without_session(payment) if found is None else self.take(found, learned)

    def dispute(self, dispute_id: str, learned: Learned) -> Applied:
        """Write down how a dispute stands. One call; more where nothing is known of its payment yet."""
        found = self.provider.dispute(dispute_id)
        if found is None:
            return _unknown("dispute", dispute_id)
        applied = self._dispute(found)
        if applied.order_id is not None or found.payment_id is None:
            return applied
        paid = self.payment(found.payment_id, learned)
        return applied if paid.order_id is None else self._dispute(found)

    def _dispute(self, found: Dispute) -> Applied:
        with transaction(self.sessions, dry_run=self.dry_run) as session:
            return applying.apply_dispute(session, found, self.clock())

    def order(self, order_id: UUID, learned: Learned, by: By | None = None) -> Applied:
        """Bring an order to where its session is, or, where it has none, its payment.

        Args:
            order_id: Which.
            learned: As for ``apply``.
            by: Who wants it and why, to be recorded; None where no person does.

        Raises:
            NothingToAskError: There is no such order, or it has neither session nor payment.
        """
        with self.sessions() as session:
            order = reconciling.order(session, order_id)
        if order is None:
            raise NothingToAskError(f"There is no order {order_id}.")
        if order.session_id is not None:
            return self.checkout(order.session_id, learned, by)
        if order.payment_id is not None:
            return self.payment(order.payment_id, learned, by)
        raise NothingToAskError(f"Order {order_id} has neither a Checkout Session nor a payment yet.")

    def take(self, checkout: Checkout, learned: Learned, by: By | None = None) -> Applied:
        """Apply what Stripe has just said of a session. No call."""
        with transaction(self.sessions, dry_run=self.dry_run) as session:
            now = self.clock()
            applied = applying.apply(session, checkout, learned, now)
            if applied.order_id is not None and applied.outcome in _STILL_TO_PAY:
                due_at = None if checkout.status == "expired" else now + LOOK_AGAIN
                state = f"{checkout.status}, {checkout.payment_status}"
                session_checks.looked(session, checkout.session_id, applied.order_id, due_at, state)
            if by is not None:
                details = {"session": checkout.session_id, "outcome": applied.outcome.value}
                interventions.record(
                    session, by, "settle", details, [applied.order_id] if applied.order_id else None
                )
        return applied

    def found(
        self, kind: FindingKind, subject: str, details: Mapping[str, object], done: str, order_id: UUID | None
    ) -> None:
        """Write down that something does not agree."""
        with transaction(self.sessions, dry_run=self.dry_run) as session:
            findings.find(session, kind, subject, details, done, self.clock(), order_id)

    def _without_session(self, payment: Payment) -> Applied:
        """A payment of another product of the account's, unless it names an order of ours."""
        order_id = named_order(payment)
        if order_id is None:
            return Applied(Outcome.FOREIGN, None, f"{payment.payment_id} was made without a session")
        if payment.status != SUCCEEDED:
            return Applied(Outcome.WAITING, order_id, f"{payment.payment_id} is {payment.status}")
        details = {
            "order_id": order_id,
            "payment_intent": payment.payment_id,
            "received": payment.received,
            "currency": payment.currency,
        }
        done = "nothing: the fleet settles what was paid in a Checkout Session; look at it in Stripe"
        self.found(FindingKind.PAYMENT_WITHOUT_SESSION, payment.payment_id, details, done, order_id)
        return Applied(Outcome.FOUND, order_id, FindingKind.PAYMENT_WITHOUT_SESSION)


def named_order(payment: Payment) -> UUID | None:
    """The order that a payment's own metadata names, whether or not there is one."""
    try:
        return UUID(payment.metadata["order_id"])
    except (KeyError, ValueError):
        return None


def _unknown(what: str, stripes_id: str) -> Applied:
    log.warning(
        "Stripe knows no %s %s; is STRIPE_SECRET_KEY that of another mode or account?", what, stripes_id
    )
    return Applied(Outcome.FOREIGN, None, f"Stripe knows no {what} {stripes_id}")
