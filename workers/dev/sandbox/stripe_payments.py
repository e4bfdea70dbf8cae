"""What a client does on a page of Stripe's, with the events that Stripe writes of it.

Source: Stripe's "How Checkout works", "Fulfill orders" and "Payment status updates".
"""

from __future__ import annotations

import asyncio
import heapq
import time
from itertools import count
from typing import TYPE_CHECKING, Final, NoReturn

from workers.dev.sandbox.stripe_objects import (
    Charge,
    CheckoutSession,
    Customer,
    PaymentFailure,
    PaymentIntent,
    new_id,
)
from workers.dev.sandbox.stripe_reversals import NotPossibleError, Reversals, kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.dev.sandbox.stripe_objects import Order
    from workers.dev.sandbox.stripe_reversals import Tell
    from workers.dev.sandbox.stripe_store import StripeStore

__all__ = ["Checkouts", "NotPossibleError"]

_USUAL_EMAIL: Final = "client@example.com"
# What a bank says beneath a card that was declined; codes that are not here speak for themselves.
_DECLINE_CODES: Final = {"card_declined": "generic_decline"}
_WORDS: Final = {
    "card_declined": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "insufficient_funds": "Your account has insufficient funds.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


class Checkouts(Reversals):
    """Sessions, and what becomes of them. Each method changes the objects and writes the events.

    All raise `NotPossibleError`.

    Args:
        store: Where the objects are.
        tell: Writes an event of a type about an object as it is now, given what it was before.
        clock: Unix time.
    """

    def __init__(self, store: StripeStore, tell: Tell, clock: Callable[[], float] = time.time) -> None:
        super().__init__(store, tell, clock)
        self._numbers = count()
        self._expiries: list[tuple[int, int, str]] = []

    def begin(self, order: Order, pages: str) -> CheckoutSession:
        """Open a session.

        Args:
            order: What is to be paid.
            pages: Where the sandbox is, without a slash at the end; the session's page is below it.
        """
        session_id = new_id("cs_test", 58)
        url = f"{pages}/checkout/{session_id}"
        session = CheckoutSession(session_id, self._now(), order, url, customer=order.customer)
        self._store.sessions.add(session)
        heapq.heappush(self._expiries, (order.expires_at, next(self._numbers), session_id))
        self._store.touched()
        return session

    def session(self, session_id: str) -> CheckoutSession:
        """One session as it is now."""
        self.expire_due()
        return kept(self._store.sessions, session_id)

    def pay(self, session_id: str) -> CheckoutSession:
        """The client pays, and the money is there."""
        session = self._open(session_id)
        if session.order.amount == 0:
            self._complete(session, "no_payment_required")
            return session
        intent = self._intent(session, "card")
        self._charge(intent, session, "succeeded")
        self._succeed(intent)
        self._complete(session, "paid")
        return session

    def decline(self, session_id: str, code: str = "card_declined") -> CheckoutSession:
        """The client's card is refused; the session stays open for another try.

        Args:
            session_id: Whose.
            code: Stripe's error code, such as ``expired_card``.
        """
        session = self._open(session_id)
        if session.order.amount == 0:
            raise NotPossibleError("This session asks for no money: there is nothing to decline.")
        self._fail(self._intent(session, "card"), session, code)
        return session

    def pay_later(self, session_id: str) -> CheckoutSession:
        """The client pays in a way that takes days; `finish` says how it ended."""
        session = self._open(session_id)
        if session.order.amount == 0:
            raise NotPossibleError("This session asks for no money: there is nothing to wait for.")
        intent = self._intent(session, "sepa_debit")
        self._charge(intent, session, "pending")
        intent.status = "processing"
        self._say("payment_intent.processing", intent)
        self._complete(session, "unpaid")
        return session

    def finish(self, session_id: str, *, succeeded: bool) -> CheckoutSession:
        """The money of a payment that takes days comes in, or does not."""
        session = self.session(session_id)
        intent = self._store.intents.get(session.payment_intent or "")
        if intent is None or intent.status != "processing":
            raise NotPossibleError(f"No payment of session {session_id} is under way.")
        charge = kept(self._store.charges, intent.latest_charge or "")
        if not succeeded:
            self._fail(intent, session, "insufficient_funds", charge)
            self._say("checkout.session.async_payment_failed", session)
            return session
        charge.status = "succeeded"
        self._say("charge.succeeded", charge)
        self._succeed(intent)
        session.payment_status = "paid"
        self._say("checkout.session.async_payment_succeeded", session)
        return session

    def cancel(self, session_id: str) -> CheckoutSession:
        """The client turns back to the shop: at Stripe the session stays open, and nothing is written."""
        return self._open(session_id)

    def expire(self, session_id: str) -> CheckoutSession:
        """Close an open session: nobody can pay in it any more."""
        session = self.session(session_id)
        if session.status != "open":
            raise NotPossibleError(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has '
                f"a status of {session.status}."
            )
        self._expire(session)
        return session

    async def run(self) -> NoReturn:
        """Close sessions in time, until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.expire_due()

    def expire_due(self) -> None:
        """Close the open sessions whose time is over."""
        now = self._now()
        while self._expiries and self._expiries[0][0] <= now:
            *_, session_id = heapq.heappop(self._expiries)
            session = self._store.sessions.get(session_id)
            if session is not None and session.status == "open":
                self._expire(session)

    def _open(self, session_id: str) -> CheckoutSession:
        session = self.session(session_id)
        if session.status != "open":
            raise NotPossibleError(f"Session {session_id} is {session.status}: nothing can be paid in it.")
        return session

    def _intent(self, session: CheckoutSession, method: str) -> PaymentIntent:
        """The session's payment; made at the first try, as Stripe does."""
        order = session.order
        session.email = order.customer_email or self._email_of(session.customer)
        if session.customer is None and order.customer_creation == "always":
            customer = Customer(new_id("cus", 14), self._now(), session.email)
            self._store.customers.add(customer)
            session.customer = customer.id
            self._say("customer.created", customer)
        intent = self._store.intents.get(session.payment_intent or "")
        if intent is None:
            intent = PaymentIntent(
                id=new_id("pi"),
                created=self._now(),
                amount=order.amount,
                currency=order.currency,
                session=session.id,
                customer=session.customer,
                metadata=order.payment_metadata,
                description=order.payment_description,
            )
            self._store.intents.add(intent)
            session.payment_intent = intent.id
            self._say("payment_intent.created", intent)
        intent.method = method
        intent.failure = None
        return intent

    def _email_of(self, customer_id: str | None) -> str:
        customer = self._store.customers.get(customer_id or "")
        return (customer.email if customer else None) or _USUAL_EMAIL

    def _charge(self, intent: PaymentIntent, session: CheckoutSession, status: str) -> Charge:
        charge = Charge(
            id=new_id("ch"),
            created=self._now(),
            amount=intent.amount,
            currency=intent.currency,
            payment_intent=intent.id,
            customer=intent.customer,
            email=session.email,
            metadata=intent.metadata,
            method=intent.method,
            status=status,
        )
        self._store.charges.add(charge)
        intent.latest_charge = charge.id
        if status != "failed":
            self._say(f"charge.{status}", charge)
        return charge

    def _succeed(self, intent: PaymentIntent) -> None:
        intent.status, intent.amount_received = "succeeded", intent.amount
        self._say("payment_intent.succeeded", intent)

    def _fail(
        self, intent: PaymentIntent, session: CheckoutSession, code: str, charge: Charge | None = None
    ) -> None:
        charge = charge or self._charge(intent, session, "failed")
        words = _WORDS.get(code, f"The payment failed: {code}.")
        charge.status = "failed"
        charge.failure = PaymentFailure(code, words, _DECLINE_CODES.get(code), charge.id)
        self._say("charge.failed", charge)
        intent.status, intent.failure = "requires_payment_method", charge.failure
        self._say("payment_intent.payment_failed", intent)

    def _complete(self, session: CheckoutSession, payment_status: str) -> None:
        session.status, session.payment_status, session.url = "complete", payment_status, None
        self._say("checkout.session.completed", session)

    def _expire(self, session: CheckoutSession) -> None:
        session.status, session.url = "expired", None
        self._say("checkout.session.expired", session)
        intent = self._store.intents.get(session.payment_intent or "")
        if intent is not None:
            intent.status, intent.canceled_at, intent.cancellation_reason = "canceled", self._now(), "expired"
            self._say("payment_intent.canceled", intent)
