"""Payments, what follows from them, and reminders of those that do not come."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from workers.settings import kinds
from workers.settings.group import Group
from workers.settings.kinds import Unit


class Payments(Group):
    """Payments, and what follows from them."""

    reconcile_after_seconds: Annotated[float, Field(ge=60), Unit("seconds")] = 900.0
    """How old a pending order's Checkout Session is when Stripe is first asked what became of it; at least
    60."""

    poll_share_warning: Annotated[float, Field(gt=0, le=1), Unit("share")] = 0.1
    """Of the payments of a day, how many may be learned by asking Stripe instead of by its webhook before
    that is a warning."""

    manual_products: Annotated[frozenset[str], BeforeValidator(kinds.words), Unit("product codes")] = (
        frozenset()
    )
    """Products whose dossiers no approval moves on: a person ends each step."""

    mail_payment_links: bool = True
    """Whether the fleet mails payment links to their prospects, and reminds them."""

    payment_link_path: Annotated[str, AfterValidator(kinds.path)] = "/onboarding/{token}"
    """The page of the platform's site where a payment link leads."""

    payment_link_reminder_days: Annotated[int, Field(ge=1, le=30), Unit("days")] = 3
    """How long before a payment link runs out its prospect is reminded, once; 1 to 30."""


class Reminders(Group):
    """Reminders of unpaid orders."""

    reminder_interval_days: Annotated[int, Field(ge=1, le=60), Unit("days")] = 3
    """Between two reminders of an order, 1 to 60."""

    reminder_most: Annotated[int, Field(ge=1), Unit("reminders")] | None = None
    """How many an order gets at most, without a ladder. Empty: until it is paid."""

    reminder_ladder: Annotated[str, AfterValidator(kinds.ladder), Unit("days")] = ""
    """Reminders on these days after the order instead, `1,4,7,14,30`; an interval after the last the order is
    CANCELLED."""

    reminder_ladders: Annotated[str, AfterValidator(kinds.ladders)] = ""
    """Ladders of products, by their codes: `LLC_FORMATION=1,4,7;BANKING=-`; `-` is none."""
