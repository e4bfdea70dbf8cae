"""Pending orders of which nothing was heard: looked at ever more seldom, until their session has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from providers.errors import RateLimited, Transient
from services.payments.sweep_orders import AFTER_ERROR, EXPIRY_GRACE, LEASE, MISSED_AFTER, REACH
from services.payments.words import Learned
from tests.notifications.pipeline import never, side_by_side
from tests.payments.account import AFTER, Killed, opened_books

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
        # The orders are of the database's time.
        books.clock.forward(-600)
        yield books


def settle_down(books: Books) -> None:
    """Go on to when a session is looked at for the first time."""
    books.clock.forward(AFTER.total_seconds() + 5)


def test_a_paid_session_that_nobody_told_of_is_settled(books: Books) -> None:
    client, checkout = books.client()
    books.account.pay(checkout)
    assert books.checks().run(never).calls == 0
    settle_down(books)
    report = books.checks().run(never)
    assert (books.status(client), report.settled, report.checked, report.calls) == ("PAID", 1, 1, 1)
    assert books.scalar("select learned from fleet.settlements") == "CHECK"
    books.clock.forward(86_400)
    assert books.checks().run(never).calls == 0


def test_an_expired_one_ends_the_wait_and_the_user_is_suspended(books: Books) -> None:
    client, checkout = books.client()
    books.account.expire(checkout)
    settle_down(books)
    report = books.checks().run(never)
    assert [noted.order_id for noted in report.noted] == [client.order_id]
    status = "select status::text from profiles where id = :id"
    assert books.scalar(status, id=client.user_id) == "SUSPENDED"
    assert books.status(client) == "PENDING"
    (row,) = books.rows("select * from fleet.session_checks")
    assert (row.due_at, row.checks, row.last_state) == (None, 1, "expired, unpaid")
    books.clock.forward(86_400)
    assert books.checks().run(never).calls == 0


def test_an_open_one_is_looked_at_ever_more_seldom_and_when_it_expires(books: Books) -> None:
    _, checkout = books.client()
    settle_down(books)
    pauses = []
    while True:
        before = len(books.account.calls)
        books.checks().run(never)
        assert len(books.account.calls) == before + 1
        due_at = books.scalar("select due_at from fleet.session_checks")
        if due_at is None:
            break
        pauses.append(due_at - books.clock.now)
        books.clock.now = due_at
        if due_at >= checkout.expires_at:
            books.account.expire(checkout)
    minutes = [pause.total_seconds() / 60 for pause in pauses]
    assert minutes[:4] == [15, 30, 60, 60]
    assert checkout.expires_at <= books.clock.now <= checkout.expires_at + EXPIRY_GRACE
    assert len(pauses) < 28


def test_what_is_settled_or_replaced_meanwhile_costs_no_question(books: Books) -> None:
    (paid, session), (moved, _) = books.client(), books.client()
    books.checks().run(never)
    books.account.pay(session)
    books.cashier().order(paid.order_id, Learned.HAND)
    asked = len(books.account.calls)
    newer = books.account.open(moved)
    books.change(
        "update orders set stripe_checkout_session_id = :new where id = :id",
        new=newer.session_id,
        id=moved.order_id,
    )
    settle_down(books)
    report = books.checks().run(never)
    assert len(books.account.calls) == asked + 1
    assert books.account.calls[-1] == ("checkout", newer.session_id)
    assert report.checked == 1


def test_orders_without_a_session_and_old_ones_are_left_alone(books: Books) -> None:
    client, _ = books.client()
    books.app.register("dominique@example.com", "Dominique Exemple")
    books.clock.forward(REACH.total_seconds() + 60)
    assert books.checks().run(never).calls == 0
    assert books.status(client) == "PENDING"


def test_money_that_takes_days_is_waited_for(books: Books) -> None:
    client, checkout = books.client(status="complete")
    settle_down(books)
    for _ in range(6):
        books.checks().run(never)
        books.clock.now = books.scalar("select due_at from fleet.session_checks")
    assert books.status(client) == "PENDING"
    books.account.pay(checkout)
    books.checks().run(never)
    assert books.status(client) == "PAID"


def test_one_that_stripe_does_not_know_is_given_up_after_a_day(books: Books) -> None:
    _, checkout = books.client()
    del books.account.checkouts[checkout.session_id]
    settle_down(books)
    for _ in range(MISSED_AFTER + 1):
        assert books.checks().run(never).calls == 1
        books.clock.forward(3600)
    assert books.checks().run(never).calls == 0
    assert books.scalar("select last_state from fleet.session_checks") == "unknown"


def test_what_does_not_agree_is_found_once_and_ends_the_wait(books: Books) -> None:
    _, checkout = books.client(amount=1)
    books.account.pay(checkout)
    settle_down(books)
    assert books.checks().run(never).found == 1
    books.clock.forward(86_400)
    assert books.checks().run(never).calls == 0
    assert [kind for kind, _ in books.findings()] == ["AMOUNT_MISMATCH"]


def test_trouble_on_the_way_is_tried_again_soon(books: Books) -> None:
    client, checkout = books.client()
    books.account.pay(checkout)
    settle_down(books)
    books.account.refuses = Transient("http_503", "away")
    report = books.checks().run(never)
    assert (report.checked, report.stopped) == (0, None)
    assert books.scalar("select last_state from fleet.session_checks") == "http_503"
    books.account.refuses = None
    books.clock.forward(AFTER_ERROR.total_seconds())
    books.checks().run(never)
    assert books.status(client) == "PAID"


def test_at_a_limit_it_stops_and_the_rest_stays_due(books: Books) -> None:
    sold = [books.client() for _ in range(40)]
    for _, checkout in sold:
        books.account.pay(checkout)
    settle_down(books)
    books.account.refuses = RateLimited("http_429", "too much", 1)
    assert books.checks().run(never).stopped == "http_429"
    assert len(books.account.calls) == 32
    books.account.refuses = None
    assert books.checks().run(never).settled == 40
    assert {books.status(client) for client, _ in sold} == {"PAID"}


def test_a_kill_costs_one_lease(books: Books) -> None:
    client, checkout = books.client()
    books.account.pay(checkout)
    settle_down(books)
    books.account.kills_at = 1
    with pytest.raises(Killed):
        books.checks().run(never)
    assert books.checks().run(never).calls == 0
    books.clock.forward(LEASE.total_seconds())
    books.checks().run(never)
    assert books.status(client) == "PAID"


def test_two_at_once_ask_about_each_once(books: Books) -> None:
    sold = [books.client() for _ in range(40)]
    for _, checkout in sold:
        books.account.pay(checkout)
    settle_down(books)

    def check() -> None:
        books.checks().run(never)

    with side_by_side(check, check):
        pass
    assert len(books.account.calls) == 40
    assert {books.status(client) for client, _ in sold} == {"PAID"}


def test_a_dry_run_says_what_it_would_settle_and_writes_nothing(books: Books) -> None:
    sold = [books.client() for _ in range(35)]
    for _, checkout in sold:
        books.account.pay(checkout)
    settle_down(books)
    report = books.checks(dry_run=True).run(never)
    assert (report.settled, report.calls) == (35, 35)
    assert {noted.order_id for noted in report.noted} == {client.order_id for client, _ in sold}
    assert {books.status(client) for client, _ in sold} == {"PENDING"}
    for table in ("fleet.session_checks", "fleet.settlements", "fleet.payments", "events", "dossiers"):
        assert books.scalar(f"select count(*) from {table}") == 0
    assert books.checks().run(never).settled == 35


def test_the_first_look_is_soon_after_the_order_last_changed(books: Books) -> None:
    books.client()
    books.checks().run(never)
    (row,) = books.rows(
        "select c.due_at - greatest(o.created_at, o.updated_at) as after"
        " from fleet.session_checks c join orders o on o.id = c.order_id"
    )
    assert row.after == AFTER == timedelta(minutes=15)
