"""Learns by poll what no webhook has told: Stripe's list of events goes into the inbox, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import inbox, stripe_inbox
from providers.payments import Page, PaymentEvent, Window
from services.payments.pointers import HANDLED_TYPES
from services.payments.reports import Noted, Report, quietly
from services.payments.walking import LAG, Listing, Walk, Walker, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.sweeps import SweepState
    from providers.payments import PaymentProvider

OVERLAP: Final = timedelta(minutes=10)
"""Events become visible out of order."""

AT_FIRST: Final = timedelta(days=1)
REMEMBERED: Final = timedelta(days=30)
"""Stripe keeps events for so long."""

RETRIED_FOR: Final = timedelta(days=3)
"""So long Stripe tries to deliver an event."""

EVENTS: Final = "events"
UNDELIVERED: Final = "undelivered"


@dataclass(frozen=True)
class EventSweep:
    """Stores the events since the last time, and older ones that Stripe could not deliver.

    Attributes:
        walker: Walks through the lists.
        provider: Whose events.
    """

    walker: Walker
    provider: PaymentProvider

    def run(
        self,
        should_stop: Callable[[], bool],
        *,
        since: datetime | None = None,
        tell: Callable[[Report], object] = quietly,
    ) -> Report:
        """List them and store what is new; the inbox's drain works it off.

        Args:
            should_stop: Asked between pages.
            since: From when on; from the last sweep's end where it is not given.
            tell: Is told after each page.
        """
        report = Report(EVENTS)
        walk = self._walk(EVENTS, _since_last(since), report, should_stop, tell)
        while walk is not None and walk.resumed and not self.walker.dry_run:
            walk = self._walk(EVENTS, _since_last(since), report, should_stop, tell)
        if walk is not None:
            self._walk(UNDELIVERED, _before(walk.window.since), report, should_stop, tell)
        return report

    def _walk(
        self,
        name: str,
        span: Callable[[SweepState, datetime], Window | None],
        report: Report,
        should_stop: Callable[[], bool],
        tell: Callable[[Report], object],
    ) -> Walk | None:
        def page(window: Window, after: str | None) -> Page[PaymentEvent]:
            return self.provider.events(window, HANDLED_TYPES, after, undelivered=name == UNDELIVERED)

        def keep(session: Session, walk: Walk, page: Page[PaymentEvent]) -> bool:
            new = _store(session, page, report)
            # What lies behind a page that is known was on the pages of the time before.
            return name == UNDELIVERED and new == 0 and not walk.thorough

        listing = Listing(name, span, page, _nothing_to_ask, keep)
        return self.walker.walk(listing, report, should_stop, tell)


def _store(session: Session, page: Page[PaymentEvent], report: Report) -> int:
    known = stripe_inbox.stored(session, [event.event_id for event in page.items])
    new = [event for event in page.items if event.event_id not in known]
    rows = json_rows.dumps({"callback_id": event.event_id, "body": event.body} for event in new)
    stored = inbox.store(session, "stripe", rows, "POLLED") if new else 0
    report.new += stored
    report.noted += [Noted(event.event_id, f"STORED {event.body.get('type')}") for event in new]
    return stored


def _since_last(since: datetime | None) -> Callable[[SweepState, datetime], Window]:
    def span(state: SweepState, now: datetime) -> Window:
        last = now - AT_FIRST if state.swept_until is None else state.swept_until - OVERLAP
        return Window(whole(max(since or last, now - REMEMBERED)), whole(now - LAG))

    return span


def _before(until: datetime) -> Callable[[SweepState, datetime], Window | None]:
    def span(state: SweepState, now: datetime) -> Window | None:
        del state
        since = whole(now - RETRIED_FOR)
        return Window(since, until) if since < until else None

    return span


def _nothing_to_ask(window: Window, page: Page[PaymentEvent]) -> None:
    del window, page
