"""Events learned by poll: every page once, whoever is killed where, and however many are at it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from providers.errors import Misconfigured
from services.payments.sweeping import OVERLAP, RETRIED_FOR
from services.payments.walking import LEASE, RESUMED_WITHIN
from tests.notifications.pipeline import never, side_by_side
from tests.payments.account import Killed, opened_books

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from tests.payments.account import Books


@pytest.fixture
def books(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> Iterator[Books]:
    with opened_books(database, sessions, application) as books:
        yield books


def happen(books: Books, count: int, *, delivered: bool = True) -> set[str]:
    """So many events, ten seconds from each to the next, and a minute after the last one."""
    made = set()
    for _ in range(count):
        books.clock.forward(10)
        made.add(books.account.tell("checkout.session.expired", "cs_1", delivered=delivered).event_id)
    books.clock.forward(120)
    return made


def stored(books: Books) -> set[str]:
    return {row.callback_id for row in books.rows("select callback_id from fleet.inbox")}


def test_the_first_sweep_stores_the_last_day_and_the_next_one_what_is_new(books: Books) -> None:
    books.account.tell("checkout.session.expired", "cs_old")
    books.clock.forward(86_400)
    first = happen(books, 7)
    report = books.sweep().run(never)
    assert stored(books) == first
    assert set(books.rows("select learned from fleet.inbox")) == {("POLLED",)}
    # Seven events on pages of three, and one look for undelivered ones.
    assert (report.pages, report.new, report.calls, report.stopped) == (4, 7, 4, None)

    second = happen(books, 2)
    report = books.sweep().run(never)
    assert stored(books) == first | second
    # The overlap shows all of them again.
    assert report.line() == "events: 4 pages, 2 new, 4 calls"
    books.clock.forward(OVERLAP.total_seconds())
    books.sweep().run(never)
    assert books.sweep().run(never).line() == "events: 2 pages, 2 calls"


def test_events_that_become_visible_late_are_found_by_the_overlap(books: Books) -> None:
    happen(books, 1)
    books.sweep().run(never)
    late = books.account.tell("checkout.session.expired", "cs_1")
    books.account.happened[-1] = (
        type(late)(late.event_id, books.clock.now - OVERLAP + timedelta(seconds=30), late.body),
        True,
    )
    books.clock.forward(60)
    assert books.sweep().run(never).new == 1


def test_what_the_webhook_has_brought_stays_pushed(books: Books) -> None:
    books.push(books.account.tell("checkout.session.expired", "cs_1"))
    polled = happen(books, 1)
    assert books.sweep().run(never).new == 1
    ways = books.rows("select callback_id, learned from fleet.inbox")
    assert {row.learned for row in ways if row.callback_id in polled} == {"POLLED"}
    assert {row.learned for row in ways if row.callback_id not in polled} == {"PUSHED"}


def test_undelivered_ones_are_found_though_they_are_older_than_the_window(books: Books) -> None:
    books.sweep().run(never)
    lost = happen(books, 4, delivered=False)
    books.change("update fleet.sweeps set swept_until = swept_until + interval '1 day'")
    books.clock.forward(86_400)
    report = books.sweep().run(never)
    assert stored(books) == lost
    assert (books.account.asked("undelivered"), report.new) == (1 + 2, 4)
    # Stripe keeps calling them undelivered; what is known is listed no further than its first page.
    assert books.sweep().run(never).pages == 2
    books.clock.forward(RETRIED_FOR.total_seconds())
    assert books.sweep().run(never).new == 0


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_whoever_comes_after_a_kill_goes_on_at_the_page(books: Books, page: int) -> None:
    happened = happen(books, 11)
    books.clock.forward(OVERLAP.total_seconds())
    books.account.kills_at = page
    with pytest.raises(Killed):
        books.sweep().run(never)
    assert len(stored(books)) == min(11, 3 * (page - 1))
    assert books.sweep().run(never).busy
    assert len(books.account.calls) == page

    books.clock.forward(LEASE.total_seconds() + 1)
    report = books.sweep().run(never)
    assert stored(books) == happened
    assert books.scalar("select swept_until from fleet.sweeps where name = 'events'") >= (
        books.clock.now - timedelta(seconds=62)
    )
    pages = [after for what, after in books.account.calls if what == "events"]
    # The page of the kill is asked for once more, and then the first of the minutes since.
    assert len(pages) - len(set(pages)) <= 2
    assert report.new == 11 - min(11, 3 * (page - 1))


def test_asked_to_stop_it_leaves_the_page_to_the_next_at_once(books: Books) -> None:
    happened = happen(books, 7)
    answers = iter([False, True])
    report = books.sweep().run(lambda: next(answers))
    assert (report.stopped, len(stored(books))) == ("asked", 3)
    books.sweep().run(never)
    assert stored(books) == happened


def test_where_stripe_refuses_the_report_says_so_and_the_page_is_left(books: Books) -> None:
    happened = happen(books, 2)
    books.account.refuses = Misconfigured("http_401", "no such key")
    assert books.sweep().run(never).stopped == "http_401"
    books.account.refuses = None
    assert books.sweep().run(never).new == len(happened)


def test_a_window_that_lay_too_long_is_begun_anew_up_to_now(books: Books) -> None:
    early = happen(books, 7)
    books.account.kills_at = 2
    with pytest.raises(Killed):
        books.sweep().run(never)
    books.clock.forward(RESUMED_WITHIN.total_seconds())
    # Its page is gone with the event that it began after.
    books.account.happened = [
        pair for pair in books.account.happened if pair[0].event_id not in stored(books)
    ]
    late = happen(books, 2)
    books.sweep().run(never)
    assert stored(books) == early | late


def test_two_at_once_list_nothing_twice(books: Books) -> None:
    happened = happen(books, 30)
    reports = []

    def sweep() -> None:
        reports.append(books.sweep().run(never))

    with side_by_side(*[sweep] * 4):
        pass
    assert stored(books) == happened
    listed = [after for what, after in books.account.calls if what == "events" and after]
    assert len(listed) == len(set(listed)) == 9
    assert sum(report.new for report in reports) == 30


def test_whoever_has_lost_the_lease_moves_nothing(books: Books) -> None:
    happened = happen(books, 9)
    listing = books.account.events
    overtaken: list[tuple[str, str]] = []

    def slow(*given: object, **more: object) -> object:
        page = listing(*given, **more)  # type: ignore[arg-type]  # as it came
        if not overtaken:
            overtaken.append(books.account.calls[-1])
            books.clock.forward(LEASE.total_seconds() + 1)
            books.sweep().run(never)
        return page

    books.account.events = slow  # type: ignore[assignment,method-assign]  # as a slow line would
    report = books.sweep().run(never)
    assert report.busy
    assert stored(books) == happened
    assert books.scalar("select lease_until from fleet.sweeps where name = 'events'") is None


def test_by_hand_it_goes_back_as_far_as_it_is_told(books: Books) -> None:
    old = happen(books, 2)
    books.clock.forward(86_400 * 2)
    assert books.sweep().run(never).new == 0
    report = books.sweep().run(never, since=books.clock.now - timedelta(days=3))
    assert (stored(books), report.new) == (old, 2)


def test_a_dry_run_lists_and_writes_nothing(books: Books) -> None:
    happened = happen(books, 4)
    report = books.sweep(dry_run=True).run(never)
    assert {noted.id for noted in report.noted} == happened
    assert {noted.said for noted in report.noted} == {"STORED checkout.session.expired"}
    assert (report.new, report.pages) == (4, 3)
    assert stored(books) == set()
    assert books.rows("select * from fleet.sweeps") == []
    assert books.sweep().run(never).new == 4


def test_a_dry_run_comes_to_its_end_on_a_window_under_way(books: Books) -> None:
    happen(books, 7)
    books.account.kills_at = 2
    with pytest.raises(Killed):
        books.sweep().run(never)
    books.clock.forward(LEASE.total_seconds() + 1)
    before = books.rows("select * from fleet.sweeps")
    assert books.sweep(dry_run=True).run(never).new == 4
    assert books.rows("select * from fleet.sweeps") == before
