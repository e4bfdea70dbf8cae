"""Stripe's payments and refunds of a window beside the platform's orders: what is missing on either side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.payments.walking import LEASE
from services.payments.words import Learned
from tests.notifications.pipeline import never
from tests.payments.account import Killed, opened_books

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from providers.payments import Checkout, Payment
    from tests.databases import Database
    from tests.payments.account import Books
    from workers.dev.application import Client


@pytest.fixture
def books(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> Iterator[Books]:
    with opened_books(database, sessions, application) as books:
        yield books


def sell(books: Books, **payment: object) -> tuple[Client, Checkout]:
    """An order that was paid and settled, ten seconds ago or more."""
    client, checkout = books.client()
    paid = books.account.pay(checkout, **payment)
    books.cashier().checkout(paid.session_id, Learned.WEBHOOK)
    books.clock.forward(10)
    return client, paid


def paid_with(checkout: Checkout) -> Payment:
    assert checkout.payment is not None
    return checkout.payment


def look(books: Books) -> tuple[int, int, int]:
    """Compare, two minutes later: the pages, the questions besides, and what was found."""
    books.clock.forward(120)
    report = books.daily().run(never)
    assert report.stopped is None
    return report.pages, report.calls - report.pages, report.found


def test_where_all_agrees_it_costs_its_pages_and_no_question(books: Books) -> None:
    for _ in range(7):
        sell(books)
    assert look(books) == (3 + 1, 0, 0)
    assert books.findings() == []
    assert look(books) == (3 + 1, 0, 0)


def test_a_payment_that_nobody_told_of_is_settled(books: Books) -> None:
    sell(books)
    client, checkout = books.client()
    books.account.pay(checkout)
    assert look(books) == (2, 1, 0)
    assert books.status(client) == "PAID"
    assert books.scalar("select count(*) from fleet.settlements where learned = 'CHECK'") == 1
    assert look(books) == (2, 0, 0)


def test_payments_that_did_not_succeed_are_nobodys_business(books: Books) -> None:
    _, checkout = books.client()
    books.account.pay(checkout, status="requires_payment_method", received=0)
    assert look(books) == (2, 0, 0)


def test_a_payment_of_another_product_is_left_alone(books: Books) -> None:
    _, checkout = books.client()
    paid = paid_with(books.account.pay(checkout))
    del books.account.checkouts[checkout.session_id]
    books.account.loose["pi_other"] = replace(paid, payment_id="pi_other")
    assert look(books) == (2, 1, 0)
    assert books.findings() == []


def test_a_payment_that_names_an_order_that_does_not_exist_is_found(books: Books) -> None:
    _, checkout = books.client()
    paid = books.account.pay(checkout, metadata={"order_id": str(uuid4())})
    books.account.checkouts[paid.session_id] = replace(paid, metadata={})
    books.change("update orders set stripe_checkout_session_id = null")
    assert look(books) == (2, 1, 1)
    assert books.findings() == [("PAYMENT_WITHOUT_ORDER", paid_with(paid).payment_id)]


def test_a_second_payment_is_found_and_then_known(books: Books) -> None:
    client, first = sell(books)
    second = books.account.pay(books.account.open(client))
    assert look(books) == (2, 1, 1)
    assert books.findings() == [("SECOND_PAYMENT", paid_with(second).payment_id)]
    (details,) = books.rows("select details from fleet.findings")[0]
    assert paid_with(first).payment_id in details.values()
    assert look(books) == (2, 0, 0)


@pytest.mark.parametrize("change", ["amount = amount + 1", "amount = amount - 1", "currency = 'JPY'"])
def test_an_order_paid_with_another_amount_is_found(books: Books, change: str) -> None:
    client, checkout = sell(books)
    books.change(f"update orders set {change} where id = :id", id=client.order_id)
    assert look(books) == (2, 0, 1)
    assert books.findings() == [("AMOUNT_MISMATCH", paid_with(checkout).payment_id)]
    assert look(books) == (2, 0, 1)
    assert len(books.findings()) == 1


def test_money_given_back_that_nobody_told_of_is_learned(books: Books) -> None:
    (whole, _), (part, _) = sell(books), sell(books)
    sessions = dict(books.rows("select id, stripe_checkout_session_id from orders"))
    books.account.give_back(books.account.checkouts[sessions[whole.order_id]])
    books.account.give_back(books.account.checkouts[sessions[part.order_id]], 100)
    assert look(books) == (2, 2, 0)
    assert (books.status(whole), books.status(part)) == ("REFUNDED", "PAID")
    assert books.scalar("select refunded from fleet.payments where order_id = :id", id=part.order_id) == 100
    assert look(books) == (2, 0, 0)


def test_money_given_back_of_a_payment_older_than_the_window_is_learned(books: Books) -> None:
    client, checkout = sell(books)
    books.clock.forward(86_400 * 10)
    books.account.give_back(checkout)
    assert look(books) == (2, 1, 0)
    assert books.status(client) == "REFUNDED"
    assert look(books) == (2, 0, 0)


def test_an_order_called_refunded_whose_money_is_still_there_is_found(books: Books) -> None:
    client, checkout = sell(books)
    books.change("update orders set status = 'REFUNDED' where id = :id", id=client.order_id)
    assert look(books) == (2, 0, 1)
    assert books.findings() == [("REFUNDED_WITHOUT_REFUND", paid_with(checkout).payment_id)]


def test_a_paid_order_whose_payment_stripe_does_not_know_is_found(books: Books) -> None:
    client, checkout = sell(books)
    kept, _ = sell(books)
    del books.account.checkouts[checkout.session_id]
    assert look(books) == (2, 1, 1)
    assert books.findings() == [("PAID_WITHOUT_PAYMENT", str(client.order_id))]
    assert books.status(kept) == "PAID"


def test_a_payment_older_than_the_window_is_looked_up(books: Books) -> None:
    client, checkout = sell(books, created_at=books.clock.now - timedelta(days=10))
    books.change("update orders set paid_at = :now", now=books.clock.now)
    assert look(books) == (2, 1, 0)
    assert books.account.calls[-2] == ("payment", paid_with(checkout).payment_id)
    assert books.status(client) == "PAID"


def test_an_order_paid_without_any_payment_is_found(books: Books) -> None:
    now = books.clock.now
    paid = books.app.register("camille@example.com", "Camille Exemple")
    free, checkout = books.client(payment_status="no_payment_required", status="complete")
    books.cashier().checkout(checkout.session_id, Learned.WEBHOOK)
    books.change("update orders set status = 'PAID', paid_at = :now", now=now)
    assert look(books) == (2, 0, 1)
    assert books.findings() == [("PAID_WITHOUT_INTENT", str(paid.order_id))]
    assert books.status(free) == "PAID"


def test_an_order_that_the_application_settled_is_adopted_by_its_session(books: Books) -> None:
    client, checkout = books.client()
    books.app.pay(client)
    books.change("update orders set paid_at = :now", now=books.clock.now)
    books.account.pay(checkout)
    assert look(books) == (2, 1, 0)
    assert books.findings() == []
    assert books.scalar("select count(*) from fleet.settlements") == 1
    assert look(books) == (2, 0, 0)


@pytest.mark.parametrize("call", range(1, 7))
def test_whoever_comes_after_a_kill_goes_on_at_the_page(books: Books, call: int) -> None:
    lost = []
    for number in range(8):
        if number % 4 == 1:
            client, checkout = books.client()
            books.account.pay(checkout)
            lost.append(client)
            books.clock.forward(10)
        else:
            sell(books)
    books.clock.forward(120)
    books.account.calls.clear()
    books.account.kills_at = call
    with pytest.raises(Killed):
        books.daily().run(never)
    assert books.daily().run(never).busy
    books.clock.forward(LEASE.total_seconds() + 1)
    books.daily().run(never)
    assert {books.status(client) for client in lost} == {"PAID"}
    assert books.findings() == []
    # Three pages of payments, one of refunds, two questions; the call of the kill, and its page, once more.
    assert len(books.account.calls) <= 6 + 2


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(books: Books) -> None:
    for _ in range(4):
        sell(books)
    client, checkout = books.client()
    books.account.pay(checkout)
    changed, _ = sell(books)
    books.change("update orders set amount = 1 where id = :id", id=changed.order_id)
    books.clock.forward(120)
    before = books.rows("select payment_intent_id, seen_at from fleet.payments order by 1")
    report = books.daily(dry_run=True).run(never)
    assert (report.settled, report.found, report.calls) == (1, 1, 2 + 1 + 1)
    assert {noted.order_id for noted in report.noted} == {client.order_id, changed.order_id}
    assert (books.status(client), books.findings()) == ("PENDING", [])
    assert books.rows("select payment_intent_id, seen_at from fleet.payments order by 1") == before
    assert books.rows("select * from fleet.sweeps") == []


def test_zero_decimal_currencies_are_compared_as_they_are(books: Books) -> None:
    client, checkout = books.client()
    books.change("update orders set currency = 'JPY', amount = 15000 where id = :id", id=client.order_id)
    yen = replace(checkout, amount=15_000, currency="jpy")
    books.account.pay(yen)
    assert look(books) == (2, 1, 0)
    assert books.status(client) == "PAID"
    assert look(books) == (2, 0, 0)
