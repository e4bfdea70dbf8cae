"""Asks about orders that wait for their payment and of which nothing was heard."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import session_checks
from providers.errors import Misconfigured, ProviderError, RateLimited
from services.payments.rehearsal import transaction
from services.payments.reports import Report, quietly
from services.payments.words import Applied, Learned, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.session_checks import SessionCheck
    from providers.payments import Checkout
    from services.payments.asking import Cashier

log = logging.getLogger(__name__)

BATCH: Final = 32
SIDE_BY_SIDE: Final = 8
LEASE: Final = timedelta(minutes=3)
"""Longer than the questions of a batch take one after the other in each thread, with the timeouts."""

REACH: Final = timedelta(days=30)
"""An order that has not changed for so long is left to its reminders."""

SELDOM: Final = timedelta(hours=1)
EXPIRY_GRACE: Final = timedelta(seconds=30)
AFTER_ERROR: Final = timedelta(minutes=5)
MISSED_AFTER: Final = 30
"""Looks, for over a day, before a session that Stripe does not know is given up."""

DRY_LIMIT: Final = 10_000
_PAID: Final = frozenset({"paid", "no_payment_required"})
_ENDED: Final = frozenset({Outcome.FOREIGN, Outcome.FOUND})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Stripe says of a session, None where it knows none, and what became of it."""

    checkout: Checkout | None
    applied: Applied


@dataclass(frozen=True)
class OrderChecks:
    """Looks at the sessions of pending orders: once when they are old enough, then ever more seldom.

    Attributes:
        sessions: Makes sessions.
        cashier: Asks and applies; where it rehearses only, so does this.
        clock: Gives the time, aware, UTC.
        after: How old a session is when it is looked at for the first time.
    """

    sessions: sessionmaker[Session]
    cashier: Cashier
    clock: Callable[[], datetime]
    after: timedelta

    def run(self, should_stop: Callable[[], bool], *, tell: Callable[[Report], object] = quietly) -> Report:
        """Ask about all that are due, each once.

        Args:
            should_stop: Asked between batches.
            tell: Is told after each batch.
        """
        report = Report("orders")
        dry_run = self.cashier.dry_run
        with transaction(self.sessions, dry_run=dry_run) as session:
            now = self.clock()
            session_checks.put_down(session, self.after, now - REACH)
            rehearsed = session_checks.lease(session, DRY_LIMIT, now, now + LEASE) if dry_run else None
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="orders") as threads:
            while report.stopped is None:
                if should_stop():
                    report.stopped = "asked"
                    break
                checks = self._due() if rehearsed is None else rehearsed[:BATCH]
                if not checks:
                    break
                self._look(checks, report, threads)
                tell(report)
                if rehearsed is not None:
                    rehearsed = rehearsed[BATCH:]
        return report

    def _due(self) -> list[SessionCheck]:
        with self.sessions.begin() as session:
            now = self.clock()
            return session_checks.lease(session, BATCH, now, now + LEASE)

    def _look(self, checks: Sequence[SessionCheck], report: Report, threads: ThreadPoolExecutor) -> None:
        wanted = [check for check in checks if check.wanted]
        rows = [_row(check, None, asked=0, state=None) for check in checks if not check.wanted]
        untouched: list[str] = []
        now = self.clock()
        for check, answer in zip(wanted, threads.map(self._ask, wanted), strict=True):
            report.calls += 1
            match answer:
                case Misconfigured() | RateLimited():
                    report.stopped = answer.code
                    untouched.append(check.session_id)
                case _Answer():
                    report.checked += 1
                    report.take(check.session_id, answer.applied)
                    due_at = self._next(check, answer, now)
                    rows.append(_row(check, due_at, asked=1, state=_state(answer.checkout)))
                case _:
                    # The class alone, but of Stripe's codes: the database's own words may quote rows.
                    said = answer.code if isinstance(answer, ProviderError) else type(answer).__name__
                    log.warning("session %s could not be looked at: %s", check.session_id, said)
                    rows.append(_row(check, now + AFTER_ERROR, asked=0, state=said))
        if self.cashier.dry_run:
            return
        with self.sessions.begin() as session:
            session_checks.plan(session, json_rows.dumps(rows))
            session_checks.release(session, untouched)

    def _ask(self, check: SessionCheck) -> _Answer | Exception:
        try:
            found = self.cashier.provider.checkout(check.session_id)
            if found is None:
                return _Answer(None, Applied(Outcome.FOREIGN, None, "Stripe knows no such session"))
            return _Answer(found, self.cashier.take(found, Learned.CHECK))
        except Exception as error:  # noqa: BLE001 - the session's own, and the others are looked at
            return error

    def _next(self, check: SessionCheck, answer: _Answer, now: datetime) -> datetime | None:
        """When to look again; None where the session has ended."""
        checkout, outcome = answer.checkout, answer.applied.outcome
        due_at: datetime = now + min(SELDOM, self.after * (1 << min(check.checks, 16)))
        if checkout is None:
            return due_at if check.checks < MISSED_AFTER else None
        failed_for_good = checkout.status == "complete" and outcome is Outcome.FAILED
        if checkout.status == "expired" or checkout.payment_status in _PAID or failed_for_good:
            return None
        if outcome in _ENDED:
            return None
        if checkout.status == "open":
            return min(due_at, max(now, checkout.expires_at) + EXPIRY_GRACE)
        return due_at


def _state(checkout: Checkout | None) -> str:
    return "unknown" if checkout is None else f"{checkout.status}, {checkout.payment_status}"


def _row(check: SessionCheck, due_at: datetime | None, *, asked: int, state: str | None) -> dict[str, object]:
    return {"session_id": check.session_id, "due_at": due_at, "asked": asked, "state": state}
