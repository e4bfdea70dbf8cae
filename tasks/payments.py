"""Jobs that look for payments nobody has told of, and after payment links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tasks.jobs import DatabaseJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session, sessionmaker

    from services.payments.links import PaymentLinks
    from services.payments.reports import Report
    from tasks.jobs import Job


class Sweep(Protocol):
    """A look through what Stripe has."""

    def run(self, should_stop: Callable[[], bool]) -> Report:
        """Look, and do what is to be done."""


@dataclass(frozen=True)
class SweepJob:
    """A sweep as a job.

    Attributes:
        sweep: Does it.
        rehearsal: The same, which asks Stripe and takes back whatever it would change.
    """

    sweep: Sweep
    rehearsal: Sweep

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Do it."""
        return self.sweep.run(should_stop).line()

    def preview(self) -> str:
        """Ask Stripe, and change nothing."""
        return self.rehearsal.run(lambda: False).line()


def links_job(sessions: sessionmaker[Session], payment_links: PaymentLinks) -> Mapping[str, Job]:
    """The job that looks after payment links, by its entry's name."""

    def look_after(makes: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        return f"{replace(payment_links, sessions=makes).run(should_stop)} payment links dealt with"

    return {"look-after-links": DatabaseJob(sessions, look_after)}
