"""What a payment provider says, as values, and the protocol behind which it stands.

Amounts are in the smallest unit of their currency, as in the platform's tables: cents, and whole yen. What a
callback says is never believed: it names an object, and the object is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it stands.

    Attributes:
        payment_id: Stripe's payment intent.
        status: Stripe's word: ``succeeded``, ``processing``, ``canceled``, ``requires_payment_method``, ...
        amount: What was asked for.
        received: What has come in.
        currency: Lower case.
        created_at: When it was begun, UTC.
        charge_id: The last charge, if there was any.
        refunded: How much of it was given back.
        disputed: Whether the cardholder has disputed it.
        customer_id: Stripe's customer.
        metadata: The platform's own marks.
        failure_code: Why the last try failed, where it did.
        failure_key: The same try has the same; None where none has failed.
    """

    payment_id: str
    status: str
    amount: int
    received: int
    currency: str
    created_at: datetime
    charge_id: str | None = None
    refunded: int = 0
    disputed: bool = False
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    failure_code: str | None = None
    failure_key: str | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A Checkout Session as it stands, its payment with it.

    Attributes:
        session_id: Stripe's id.
        status: ``open``, ``complete`` or ``expired``.
        payment_status: ``paid``, ``unpaid`` or ``no_payment_required``.
        amount: The whole amount.
        currency: Lower case.
        created_at: UTC.
        expires_at: When Stripe closes it by itself, UTC.
        url: Where to pay; None unless it is open.
        customer_id: Stripe's customer.
        metadata: The platform's own marks: ``order_id``, ``user_id``, ``product_id``.
        payment: None before there is any.
    """

    session_id: str
    status: str
    payment_status: str
    amount: int | None
    currency: str | None
    created_at: datetime
    expires_at: datetime
    url: str | None = None
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A disputed payment.

    Attributes:
        dispute_id: Stripe's id.
        status: Stripe's word: ``needs_response``, ``under_review``, ``won``, ``lost``, ...
        reason: Stripe's word for what the cardholder says.
        amount: How much of it is disputed.
        currency: Lower case.
        payment_id: The payment intent.
    """

    dispute_id: str
    status: str
    reason: str
    amount: int
    currency: str
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back.

    Attributes:
        refund_id: Stripe's id.
        status: Stripe's word: ``succeeded``, ``pending``, ``failed``, ...
        amount: How much.
        currency: Lower case.
        payment_id: The payment intent.
    """

    refund_id: str
    status: str
    amount: int
    currency: str
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """Something that happened, as the list of events has it.

    Attributes:
        event_id: Stripe's id.
        created_at: UTC.
        body: The whole event, as a webhook would have brought it.
    """

    event_id: str
    created_at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time by creation, both ends within; whole seconds, UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, newest first.

    Attributes:
        items: What is on it.
        after: Where the next page begins, as Stripe's ``starting_after``; None after the last.
    """

    items: Sequence[T]
    after: str | None


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """A Checkout Session to make: one thing, once, on Stripe's own page.

    Attributes:
        reference: What the shop calls it, at most 200 characters: the order's id.
        product: Its name, as the client is to read it.
        amount: In the smallest unit of the currency.
        currency: In any case.
        metadata: The platform's own marks, for the session and its payment.
        success_url: Where the client comes back after paying; ``{CHECKOUT_SESSION_ID}`` in it becomes the id.
        cancel_url: Where the client comes back without.
        expires_at: When Stripe closes it by itself: 30 minutes to 24 hours after it is made; whole seconds.
        customer_id: Stripe's customer, where one is known.
        email: What the page is filled in with, where no customer is known.
    """

    reference: str
    product: str
    amount: int
    currency: str
    metadata: Mapping[str, str]
    success_url: str
    cancel_url: str
    expires_at: datetime
    customer_id: str | None = None
    email: str | None = field(default=None, repr=False)


class CheckoutMaker(Protocol):
    """Makes and closes Checkout Sessions. Safe to call from many threads at once.

    Both raise ``ProviderError``: whether it was done is not known, and to do the same again is harmless.
    """

    def create(self, request: NewCheckout, idempotency_key: str) -> Checkout:
        """Make a session. One call.

        Args:
            request: What for.
            idempotency_key: At most 255 characters. The same key with the same request gives the same session
                for a day, and so it does with an answer of 500; with another request it is ``Rejected``.
        """

    def expire(self, session_id: str) -> Checkout | None:
        """Close a session that is open; one that is not stays as it is.

        Returns:
            The session as it is afterwards; None where there is none of that id. One call; two where it was
            not open.
        """


class PaymentProvider(Protocol):
    """Asks a payment provider. Safe to call from many threads at once.

    All raise ``ProviderError``: the question was not answered, ask again later; ``Misconfigured`` where the
    key is refused.
    """

    def checkout(self, session_id: str) -> Checkout | None:
        """One session with its payment; None where there is none of that id. One call."""

    def checkout_of(self, payment_id: str) -> Checkout | None:
        """The session that a payment was made in; None where it was made without one. One call."""

    def payment(self, payment_id: str) -> Payment | None:
        """One payment with its last charge; None where there is none of that id. One call."""

    def dispute(self, dispute_id: str) -> Dispute | None:
        """One dispute; None where there is none of that id. One call."""

    def events(
        self, window: Window, types: Sequence[str], after: str | None, *, undelivered: bool = False
    ) -> Page[PaymentEvent]:
        """A page of what happened. Stripe remembers 30 days.

        Args:
            window: When.
            types: At most 20.
            after: The page before this one said so; None for the first.
            undelivered: Only those that could not be delivered to a webhook.
        """

    def payments(self, window: Window, after: str | None) -> Page[Payment]:
        """A page of payments with their last charges, by when they were begun."""

    def refunds(self, window: Window, after: str | None) -> Page[Refund]:
        """A page of refunds, by when they were begun."""
