"""Jobs that look for payments nobody has told of, and after payment links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.jobs import DatabaseJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session, sessionmaker

    from services.payments.daily import DailyCheck
    from services.payments.events import StripeInbox
    from services.payments.links import PaymentLinks
    from services.payments.reminding import Reminders
    from services.payments.sweep_orders import OrderChecks
    from services.payments.sweeping import EventSweep
    from tasks.jobs import Job


@dataclass(frozen=True)
class Reconcile:
    """Learns what no webhook has told: by Stripe's list of events, then by the orders that still wait.

    In this order, so that an order that an event has just told of is not asked about once more.

    Attributes:
        events: Learns of events.
        inbox: Works them off.
        orders: Looks at the orders.
    """

    events: EventSweep
    inbox: StripeInbox
    orders: OrderChecks

    def __call__(self, should_stop: Callable[[], bool]) -> str:
        """Do it; say what came of it."""
        events = self.events.run(should_stop)
        self.inbox.run(should_stop)
        return f"{events.line()}; {self.orders.run(should_stop).line()}"

    def look(self) -> str:
        """The same where it is all rehearsed: what is in the inbox waits for those who work it off."""
        return f"{self.events.run(_never).line()}; {self.orders.run(_never).line()}"


@dataclass(frozen=True)
class StripeJob:
    """Work that asks Stripe, as a job.

    Attributes:
        work: Does it.
        rehearsal: Asks Stripe as well, and takes back whatever it would change.
    """

    work: Callable[[Callable[[], bool]], str]
    rehearsal: Callable[[], str]

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Do it."""
        return self.work(should_stop)

    def preview(self) -> str:
        """Ask Stripe, and change nothing."""
        return self.rehearsal()


def daily_job(daily: DailyCheck, rehearsed: DailyCheck) -> Job:
    """The job that compares payments and refunds with the orders."""
    return StripeJob(lambda should_stop: daily.run(should_stop).line(), lambda: rehearsed.run(_never).line())


@dataclass(frozen=True)
class Remind:
    """Claims the reminders of the day, has them sent, and gives up the orders that were reminded enough.

    Attributes:
        reminders: Does it.
        wake: Asks a worker to send what is claimed.
    """

    reminders: Reminders
    wake: Callable[[str], None]

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Do it."""
        claimed = self.reminders.claim(should_stop)
        if claimed:
            self.wake("reminders")
        return f"{claimed} reminders claimed, {self.reminders.cancel_exhausted(should_stop)} orders given up"

    def preview(self) -> str:
        """Claim nothing."""
        return f"{len(self.reminders.preview())} reminders claimed"


def links_job(sessions: sessionmaker[Session], payment_links: PaymentLinks) -> Job:
    """The job that looks after payment links."""

    def look_after(makes: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        return f"{replace(payment_links, sessions=makes).run(should_stop)} payment links dealt with"

    return DatabaseJob(sessions, look_after)


def _never() -> bool:
    return False
