"""What deals with Stripe, put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from limits import RateLimitItemPerSecond

from providers.pacing import SharedPace
from providers.stripe import StripePayments
from providers.transport import PooledTransport
from services.payments.asking import Cashier
from services.payments.checkouts import Checkouts
from services.payments.daily import DailyCheck
from services.payments.events import StripeInbox
from services.payments.sweep_orders import OrderChecks
from services.payments.sweeping import EventSweep
from services.payments.walking import Walker
from workers.channels import make_limiter
from workers.clock import utc_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.settings import Settings

LINES = 16
"""Kept to Stripe: those who work off events and those who check orders ask side by side."""


@dataclass(frozen=True)
class Payments:
    """What settles, and what looks for what was missed.

    Attributes:
        cashier: Asks Stripe about one thing, and brings its order there.
        inbox: Works off Stripe's events.
        events: Learns of events by poll.
        orders: Looks at the sessions of pending orders.
        daily: Compares payments and refunds with the orders.
        checkouts: Keeps orders payable.
    """

    cashier: Cashier
    inbox: StripeInbox
    events: EventSweep
    orders: OrderChecks
    daily: DailyCheck
    checkouts: Checkouts


def make_payments(settings: Settings, sessions: sessionmaker[Session], *, dry_run: bool = False) -> Payments:
    """Put it together. Nothing is connected before it is used.

    Args:
        settings: Whose Stripe.
        sessions: Makes sessions.
        dry_run: Whether to ask Stripe, and take back whatever would change.

    Raises:
        ValueError: A setting of Stripe's is malformed.
    """
    pace = SharedPace("stripe", make_limiter(settings), RateLimitItemPerSecond(settings.stripe_per_second))
    transport = PooledTransport(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        connections=LINES,
    )
    provider = StripePayments(
        settings.stripe_secret_key.get_secret_value(),
        str(settings.stripe_base_url).rstrip("/"),
        transport,
        pace.wait,
    )
    cashier = Cashier(sessions, provider, utc_now, dry_run)
    walker = Walker(sessions, utc_now, dry_run)
    return Payments(
        cashier,
        StripeInbox(sessions, cashier, utc_now),
        EventSweep(walker, provider),
        OrderChecks(sessions, cashier, utc_now, timedelta(seconds=settings.reconcile_after_seconds)),
        DailyCheck(walker, cashier),
        Checkouts(sessions, cashier, provider, utc_now, str(settings.app_url)),
    )
