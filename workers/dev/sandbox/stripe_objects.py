"""What Stripe keeps of a payment, from session to dispute. Moments are Unix time in seconds."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from workers.dev.sandbox.store import CallbackState

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTERS: Final = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """An id as Stripe makes them: a prefix that names the kind, and letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"


@dataclass(frozen=True, slots=True)
class LineItem:
    """One line of a session; the amount is that of one piece, in the smallest unit of the currency."""

    name: str
    unit_amount: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a session is asked for, found good.

    Attributes:
        line_items: At least one.
        currency: Of all of them, lower case.
        success_url: Where a client goes who has paid; may hold ``{CHECKOUT_SESSION_ID}``.
        cancel_url: Where one goes who turns back.
        expires_at: When it closes by itself.
        metadata: Of the session.
        payment_metadata: Of the payment intent.
        payment_description: Likewise.
        customer: An existing customer's id.
        customer_email: What the page has filled in.
        customer_creation: ``always`` or ``if_required``; None with a customer.
        client_reference_id: As sent.
        locale: As sent.
    """

    line_items: tuple[LineItem, ...]
    currency: str
    success_url: str
    cancel_url: str | None
    expires_at: int
    metadata: Mapping[str, str]
    payment_metadata: Mapping[str, str]
    payment_description: str | None = None
    customer: str | None = None
    customer_email: str | None = None
    customer_creation: str | None = None
    client_reference_id: str | None = None
    locale: str | None = None

    @property
    def amount(self) -> int:
        """The whole amount."""
        return sum(item.unit_amount * item.quantity for item in self.line_items)


@dataclass(slots=True)
class CheckoutSession:
    """A Checkout Session.

    Attributes:
        id: Stripe's id.
        created: When it was made.
        order: What it was asked for.
        url: The page to pay on; None unless it is open.
        status: ``open``, ``complete`` or ``expired``.
        payment_status: ``unpaid``, ``paid`` or ``no_payment_required``.
        payment_intent: None until the client tries to pay.
        customer: The customer's id, if there is one.
        email: What the client gave on the page.
    """

    id: str
    created: int
    order: Order
    url: str | None
    status: str = "open"
    payment_status: str = "unpaid"
    payment_intent: str | None = None
    customer: str | None = None
    email: str | None = None

    @property
    def success_url(self) -> str:
        """Where a client goes who has paid, the session's id filled in."""
        return self.order.success_url.replace("{CHECKOUT_SESSION_ID}", self.id)


@dataclass(frozen=True, slots=True)
class PaymentFailure:
    """Why a charge failed, in Stripe's words; ``charge`` names it."""

    code: str
    message: str
    decline_code: str | None
    charge: str


@dataclass(slots=True)
class PaymentIntent:
    """A payment. ``session`` is the Checkout Session that it belongs to."""

    id: str
    created: int
    amount: int
    currency: str
    session: str
    customer: str | None
    metadata: Mapping[str, str]
    description: str | None = None
    method: str = "card"
    status: str = "requires_payment_method"
    amount_received: int = 0
    latest_charge: str | None = None
    failure: PaymentFailure | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None


@dataclass(slots=True)
class Charge:
    """One try to take the money."""

    id: str
    created: int
    amount: int
    currency: str
    payment_intent: str
    customer: str | None
    email: str | None
    metadata: Mapping[str, str]
    method: str
    status: str
    amount_refunded: int = 0
    disputed: bool = False
    failure: PaymentFailure | None = None


@dataclass(slots=True)
class Refund:
    """Money given back."""

    id: str
    created: int
    amount: int
    currency: str
    charge: str
    payment_intent: str
    reason: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    status: str = "succeeded"


@dataclass(slots=True)
class Dispute:
    """A payment that the cardholder disputes; the ``due_by`` is when the evidence must be there."""

    id: str
    created: int
    amount: int
    currency: str
    charge: str
    payment_intent: str
    reason: str
    due_by: int
    status: str = "needs_response"


@dataclass(slots=True)
class Customer:
    """Who pays."""

    id: str
    created: int
    email: str | None


@dataclass(slots=True)
class StripeEvent:
    """Something that happened.

    Attributes:
        id: Stripe's id.
        created: When.
        type: Stripe's word, such as ``charge.refunded``.
        subject: The id of the object that it happened to.
        packed: That object as it was then, as JSON and compressed.
        delivery: How far the webhook is.
        tries: How often it was posted.
    """

    id: str
    created: int
    type: str
    subject: str
    packed: bytes
    delivery: CallbackState = CallbackState.NONE
    tries: int = 0

    @property
    def undelivered(self) -> bool:
        """Whether the webhook still lacks it."""
        return self.delivery not in {CallbackState.NONE, CallbackState.DELIVERED}


StripeObject: TypeAlias = CheckoutSession | PaymentIntent | Charge | Refund | Dispute | Customer
