"""Reminders, put together: what sends them, and the page behind their links."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.payments.following import Following
from services.payments.ladder import ReminderPolicy, read_ladder, read_ladders
from services.payments.reminding import Reminders
from workers.clock import utc_now
from workers.ingress.reminder_page import STRIPES_PAGES, ReminderPage, origin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from services.payments.checkouts import Checkouts
    from workers.settings import Settings


def make_reminders(settings: Settings, sessions: sessionmaker[Session], checkouts: Checkouts) -> Reminders:
    """Put together what reminds of orders, as the settings want it."""
    policy = ReminderPolicy(
        interval=timedelta(days=settings.reminder_interval_days),
        most=settings.reminder_most,
        ladder=read_ladder(settings.reminder_ladder),
        ladders=read_ladders(settings.reminder_ladders),
    )
    return Reminders(sessions, checkouts, utc_now, policy, str(settings.public_url).rstrip("/"))


def make_reminder_page(
    settings: Settings, sessions: sessionmaker[Session], checkouts: Checkouts
) -> ReminderPage:
    """Put together the page behind their links; people pay at Stripe, or where the settings put it."""
    return ReminderPage(
        following=Following(sessions, checkouts, utc_now),
        locale=settings.locale,
        app_url=str(settings.app_url),
        public_url=str(settings.public_url),
        checkouts=(STRIPES_PAGES, origin(str(settings.stripe_base_url))),
    )
