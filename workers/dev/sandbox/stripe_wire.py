"""The shapes of the control API's part for Stripe, read and written by its server and by its client."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StripeMischief(_Strict):
    """What goes wrong with the webhooks of the next events.

    A whole number is that of the next events that it happens to; a number with a decimal point, such as 0.3,
    is the share of all events from now on, by chance.

    Attributes:
        lose: They are not posted, and never tried again.
        double: They are posted twice.
        late: They are posted late, so others overtake them.
        seconds: How late at most; at least half of it.
    """

    lose: Count | Share = 0
    double: Count | Share = 0
    late: Count | Share = 0
    seconds: float = Field(default=2.0, ge=0, le=600)


class Nothing(_Strict):
    """A body without fields."""


class Decline(_Strict):
    """Why a card is refused: Stripe's error code."""

    code: str = Field(default="card_declined", min_length=1)


class Finish(_Strict):
    """How a payment that takes days ends."""

    succeeded: bool


class GiveBack(_Strict):
    """How much is refunded, in the smallest unit of the currency; all that is left where it is None."""

    amount: int | None = Field(default=None, ge=1)
    reason: RefundReason | None = None


class Contest(_Strict):
    """Why a payment is disputed, in Stripe's word."""

    reason: str = Field(default="fraudulent", min_length=1)


class Verdict(_Strict):
    """How a dispute ends."""

    won: bool


class StripeSessionView(BaseModel):
    """A Checkout Session.

    ``url`` is None unless it is open, ``payment_intent`` until the client tries to pay.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    status: Literal["open", "complete", "expired"]
    payment_status: Literal["unpaid", "paid", "no_payment_required"]
    amount: int
    currency: str
    url: str | None
    success_url: str
    cancel_url: str | None
    payment_intent: str | None
    customer: str | None
    customer_email: str | None
    client_reference_id: str | None
    metadata: dict[str, str]


class StripeRefundView(BaseModel):
    """A refund."""

    id: str
    status: str
    amount: int
    currency: str
    payment_intent: str
    charge: str
    reason: str | None


class StripeDisputeView(BaseModel):
    """A dispute."""

    id: str
    status: str
    amount: int
    currency: str
    payment_intent: str
    charge: str
    reason: str


class StripeEventView(BaseModel):
    """An event, the id of the object that it is about, and how far its webhook is after how many tries.

    ``delivery`` is ``none`` where nobody was to be told, else ``waiting``, ``retrying``, ``delivered`` or
    ``abandoned``; a lost one is abandoned.
    """

    id: str
    type: str
    created_at: datetime
    subject: str
    delivery: str
    tries: int
