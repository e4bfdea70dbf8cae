"""What the payments' services call things."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class Learned(StrEnum):
    """How the fleet came to ask Stripe about an order."""

    WEBHOOK = "WEBHOOK"
    POLL = "POLL"
    CHECK = "CHECK"
    HAND = "HAND"


class Outcome(StrEnum):
    """What became of it."""

    SETTLED = "SETTLED"
    ALREADY = "ALREADY"
    REFUNDED = "REFUNDED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    WAITING = "WAITING"
    FOUND = "FOUND"
    FOREIGN = "FOREIGN"
    DISPUTED = "DISPUTED"


class FindingKind(StrEnum):
    """What does not agree between the platform and Stripe."""

    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    SESSION_OF_ANOTHER_ORDER = "SESSION_OF_ANOTHER_ORDER"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    SECOND_PAYMENT = "SECOND_PAYMENT"
    PAID_AFTER_CANCELLATION = "PAID_AFTER_CANCELLATION"
    DISPUTE = "DISPUTE"
    PAYMENT_WITHOUT_SESSION = "PAYMENT_WITHOUT_SESSION"
    PAYMENT_WITHOUT_ORDER = "PAYMENT_WITHOUT_ORDER"
    PAID_WITHOUT_PAYMENT = "PAID_WITHOUT_PAYMENT"
    PAID_WITHOUT_INTENT = "PAID_WITHOUT_INTENT"
    REFUNDED_WITHOUT_REFUND = "REFUNDED_WITHOUT_REFUND"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of what Stripe says.

    Attributes:
        outcome: In one word.
        order_id: The order; None where it leads to none.
        detail: What else there is to say, for the log and the command line; ids and Stripe's words only.
    """

    outcome: Outcome
    order_id: UUID | None = None
    detail: str = ""
