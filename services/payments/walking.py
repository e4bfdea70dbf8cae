"""Walks through one of Stripe's lists page by page; whoever comes after a crash goes on at the page."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from db.queries import sweeps
from providers.errors import ProviderError
from providers.payments import Window
from services.payments.rehearsal import transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.sweeps import SweepState
    from providers.payments import Page
    from services.payments.reports import Report

log = logging.getLogger(__name__)

T = TypeVar("T")

LEASE: Final = timedelta(minutes=5)
"""From page to page. So long after a crash the next one goes on."""

LAG: Final = timedelta(minutes=1)
"""What has just happened may not be on Stripe's lists yet."""

RESUMED_WITHIN: Final = timedelta(hours=6)
"""An older window is begun anew, up to now: its page may be gone, and much has happened since."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk under way.

    Attributes:
        window: What it lists.
        after: Where the next page begins.
        lease: When the lease ends; by it, it is known whose it is.
        resumed: Whether it goes on where another stopped.
        thorough: Whether it must come to the last page: none of this name has before, or not in this window.
    """

    window: Window
    after: str | None
    lease: datetime
    resumed: bool
    thorough: bool


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list of Stripe's, and what to do with its pages.

    Attributes:
        name: Of the sweep.
        span: The window, from how the last one ended and now; None where there is nothing to list.
        page: Asks for a page.
        look: Looks at one, with no transaction open; may ask Stripe.
        keep: Writes down what is to be known of a page in the transaction that moves on to the next; whether
            the rest can be left out.
    """

    name: str
    span: Callable[[SweepState, datetime], Window | None]
    page: Callable[[Window, str | None], Page[T]]
    look: Callable[[Window, Page[T]], None]
    keep: Callable[[Session, Walk, Page[T]], bool]


@dataclass(frozen=True)
class Walker:
    """Walks through lists, one of each name at a time whoever does it.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        dry_run: Whether to write nothing down, not even how far it came.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    dry_run: bool = False

    def walk(
        self,
        listing: Listing[T],
        report: Report,
        should_stop: Callable[[], bool],
        tell: Callable[[Report], object],
    ) -> Walk | None:
        """Walk to the last page; the window goes to whoever comes next where that is not reached.

        Returns:
            The walk, if it came to its end.
        """
        walk = self._begin(listing, report)
        while walk is not None:
            if should_stop():
                report.stopped = "asked"
                self._release(listing.name, walk)
                return None
            try:
                page = listing.page(walk.window, walk.after)
                report.pages += 1
                report.calls += 1
                listing.look(walk.window, page)
                following = self._next(listing, walk, page)
            except ProviderError as error:
                log.warning("the sweep of %s stopped at a page: %s", listing.name, error.code)
                report.stopped = error.code
                self._release(listing.name, walk)
                return None
            except (Exception, KeyboardInterrupt):
                self._release(listing.name, walk)
                raise
            tell(report)
            if following is None:
                return walk
            if following.lease == walk.lease:
                report.busy = True
                return None
            walk = following
        return None

    def under_way(self, name: str) -> bool:
        """Whether a walk of this name has stopped on its way, and is to be gone on with."""
        now = self.clock()
        with transaction(self.sessions, dry_run=True) as session:
            state = sweeps.read(session, name, now)
        return state.until is not None and now - state.until <= RESUMED_WITHIN

    def _begin(self, listing: Listing[T], report: Report) -> Walk | None:
        now = self.clock()
        lease = now + LEASE
        with transaction(self.sessions, dry_run=self.dry_run) as session:
            state = sweeps.read(session, listing.name, now)
            window = listing.span(state, now)
            if state.held or window is None:
                report.busy = state.held
                return None
            known = Window(state.since, state.until) if state.since and state.until else None
            resumed = known is not None and _still_good(known, window, now)
            if known is not None:
                window = known if resumed else Window(min(known.since, window.since), window.until)
            after = state.page_after if resumed else None
            sweeps.begin(session, listing.name, window.since, window.until, after, lease)
        return Walk(window, after, lease, resumed, resumed or known is not None or state.swept_until is None)

    def _next(self, listing: Listing[T], walk: Walk, page: Page[T]) -> Walk | None:
        """Keep a page and go on; None after the last, the same lease where it is somebody else's by now."""
        now = self.clock()
        # Another moment than the last one's, even where the clock has not moved.
        lease = max(now + LEASE, walk.lease + timedelta(microseconds=1))
        with transaction(self.sessions, dry_run=self.dry_run) as session:
            enough = listing.keep(session, walk, page)
            if page.after is None or enough:
                mine = sweeps.finish(session, listing.name, walk.lease, now)
            else:
                mine = sweeps.advance(session, listing.name, page.after, walk.lease, lease)
        if not (mine or self.dry_run):
            return walk
        if page.after is None or enough:
            return None
        return replace(walk, after=page.after, lease=lease)

    def _release(self, name: str, walk: Walk) -> None:
        with suppress(DBAPIError), transaction(self.sessions, dry_run=self.dry_run) as session:
            sweeps.release(session, name, walk.lease)


def _still_good(known: Window, wanted: Window, now: datetime) -> bool:
    return now - known.until <= RESUMED_WITHIN and known.since <= wanted.since


def whole(moment: datetime) -> datetime:
    """Stripe's times are in whole seconds."""
    return moment.replace(microsecond=0)
