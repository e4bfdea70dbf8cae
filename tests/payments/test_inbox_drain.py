"""Stripe's events worked off: each points to a thing, which is asked for, and the order brought there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from db.engine import dsn
from db.queries import inbox
from providers.errors import Misconfigured, RateLimited, Transient
from providers.payments import Dispute, PaymentEvent
from services import witness
from services.notifications.evidence import Evidence
from services.payments.events import BATCH, LEASE, PARK_AFTER, StripeInbox
from services.payments.pointers import HANDLED_TYPES
from services.payments.words import Learned
from tests.notifications.pipeline import never, side_by_side
from tests.payments.account import Killed, opened_books

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from services.witness import Moment
    from tests.databases import Database
    from tests.payments.account import Books


@pytest.fixture
def books(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> Iterator[Books]:
    with opened_books(database, sessions, application) as books:
        yield books


def test_the_events_of_a_payment_lead_to_one_question_and_one_settlement(books: Books) -> None:
    client, checkout = books.client()
    events = books.account.tell_paid(books.account.pay(checkout))
    books.push(*events)

    assert books.inbox().run(never) == 2
    assert books.status(client) == "PAID"
    assert books.account.calls == [("checkout", checkout.session_id)]
    assert set(books.handled().values()) == {"SETTLED"}
    assert books.scalar("select learned from fleet.settlements") == "WEBHOOK"
    assert books.inbox().run(never) == 0


def test_what_was_polled_is_told_apart(books: Books) -> None:
    _, checkout = books.client()
    books.push(*books.account.tell_paid(books.account.pay(checkout)))
    books.change("update fleet.inbox set learned = 'POLLED'")
    books.inbox().run(never)
    assert books.scalar("select learned from fleet.settlements") == "POLL"


def test_a_payment_is_told_in_the_trace_of_its_order(books: Books) -> None:
    told: list[Moment] = []
    client, checkout = books.client()
    books.push(*books.account.tell_paid(books.account.pay(checkout)))
    witness.watch(told.extend)
    try:
        books.inbox().run(never)
    finally:
        witness.unwatch()
    assert {(moment.name, moment.trace, moment.parent) for moment in told} == {
        ("payment", client.order_id, None)
    }
    assert {moment.about["callback_id"] for moment in told} == set(books.handled())
    assert {moment.about["outcome"] for moment in told} == {"SETTLED"}


def test_every_handled_type_leads_to_its_thing(books: Books) -> None:
    client, checkout = books.client()
    paid = books.account.give_back(books.account.pay(checkout), 100)
    assert paid.payment is not None
    dispute = Dispute("dp_1", "needs_response", "fraudulent", 100, "usd", paid.payment.payment_id)
    books.account.disputes["dp_1"] = dispute
    subjects = {"checkout": checkout.session_id, "payment_intent": paid.payment.payment_id}
    for kind in HANDLED_TYPES:
        if kind.startswith("charge.dispute"):
            books.push(books.account.tell(kind, "dp_1"))
        elif kind == "charge.refunded":
            books.push(books.account.tell(kind, "ch_1", payment_intent=paid.payment.payment_id))
        else:
            books.push(books.account.tell(kind, subjects[kind.partition(".")[0]]))

    assert books.inbox().run(never) == len(HANDLED_TYPES) == 10
    assert None not in books.handled().values()
    assert books.status(client) == "PAID"
    assert books.findings() == [("DISPUTE", "dp_1")]
    assert books.scalar("select refunded from fleet.payments") == 100


def test_a_dispute_that_comes_before_its_payment_is_known_settles_that_first(books: Books) -> None:
    client, checkout = books.client()
    paid = books.account.pay(checkout)
    assert paid.payment is not None
    books.account.disputes["du_1"] = Dispute("du_1", "lost", "other", 1, "usd", paid.payment.payment_id)
    books.push(books.account.tell("charge.dispute.closed", "du_1"))

    books.inbox().run(never)
    assert books.status(client) == "PAID"
    assert books.findings() == [("DISPUTE", "du_1")]


def test_what_tells_of_a_payment_that_has_settled_an_order_needs_no_question(books: Books) -> None:
    client, checkout = books.client()
    paid = books.account.pay(checkout)
    intent, completed = books.account.tell_paid(paid)
    books.push(completed)
    books.inbox().run(never)
    books.push(intent, books.account.tell("checkout.session.expired", checkout.session_id))
    assert books.inbox().run(never) == 2
    assert len(books.account.calls) == 1
    assert sorted(map(str, books.handled().values())) == ["ALREADY", "ALREADY", "SETTLED"]

    books.account.give_back(paid)
    assert paid.payment is not None
    books.push(books.account.tell("charge.refunded", "ch_1", payment_intent=paid.payment.payment_id))
    books.inbox().run(never)
    assert books.status(client) == "REFUNDED"


@pytest.mark.parametrize(
    "told",
    [99, 100, 101, "9" * 5000, None, {}],
    ids=["less", "as much", "more", "nonsense", "none", "object"],
)
def test_a_refund_whose_sum_is_known_needs_no_question(books: Books, told: object) -> None:
    _, checkout = books.client()
    paid = books.account.give_back(books.account.pay(checkout), 100)
    books.cashier().checkout(checkout.session_id, Learned.CHECK)
    assert paid.payment is not None
    about: dict[str, Any] = {"payment_intent": paid.payment.payment_id, "amount_refunded": told}
    books.push(books.account.tell("charge.refunded", "ch_1", **about))
    books.inbox().run(never)
    assert len(books.account.calls) == (1 if told in (99, 100) else 2)
    assert None not in books.handled().values()


def test_a_second_payment_of_a_settled_order_is_asked_for(books: Books) -> None:
    client, checkout = books.client()
    books.push(*books.account.tell_paid(books.account.pay(checkout)))
    books.inbox().run(never)
    second = books.account.pay(books.account.open(client))
    books.push(*books.account.tell_paid(second))
    books.inbox().run(never)
    assert second.payment is not None
    assert books.findings() == [("SECOND_PAYMENT", second.payment.payment_id)]


def test_other_types_are_passed_over_without_a_question(books: Books) -> None:
    books.push(books.account.tell("customer.created", "cus_1"), books.account.tell("charge.refunded", "ch_1"))
    books.inbox().run(never)
    assert sorted(str(each) for each in books.handled().values()) == ["PASSED_OVER", "PASSED_OVER"]
    assert books.account.calls == []


def test_what_stripe_does_not_know_and_what_is_not_ours_is_foreign(books: Books) -> None:
    _, checkout = books.client(metadata={})
    books.change("update orders set stripe_checkout_session_id = null")
    books.push(
        books.account.tell("checkout.session.completed", "cs_gone"),
        books.account.tell("checkout.session.completed", checkout.session_id),
        books.account.tell("payment_intent.succeeded", "pi_gone"),
    )
    books.inbox().run(never)
    assert set(books.handled().values()) == {"FOREIGN"}
    assert books.findings() == []


def test_a_payment_without_a_session_that_names_an_order_is_found(books: Books) -> None:
    client, checkout = books.client()
    paid = books.account.pay(checkout).payment
    assert paid is not None
    del books.account.checkouts[checkout.session_id]
    books.account.loose["pi_loose"] = replace(
        paid, payment_id="pi_loose", metadata={"order_id": str(client.order_id)}
    )
    books.push(books.account.tell("payment_intent.succeeded", "pi_loose"))
    books.inbox().run(never)
    assert books.findings() == [("PAYMENT_WITHOUT_SESSION", "pi_loose")]
    assert books.status(client) == "PENDING"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "checkout.session.completed"},
        {"type": "checkout.session.completed", "data": "nothing"},
        {"type": "checkout.session.completed", "data": {"object": {"id": None}}},
        {"type": "checkout.session.completed", "data": {"object": {"id": {"cs_1": 1}}}},
        {"type": "checkout.session.completed", "data": {"object": {"id": "cs_1/../../customers"}}},
        {"type": "checkout.session.completed", "data": {"object": {"id": "pi_1"}}},
        {"type": "charge.refunded", "data": {"object": {"id": "ch_1", "payment_intent": "cs_1"}}},
        {"type": "charge.dispute.created", "data": {"object": {"id": 7}}},
    ],
    ids=["no data", "text", "null", "object", "path", "other kind", "no payment", "number"],
)
def test_what_names_nothing_is_parked_at_once_and_harms_nobody(books: Books, body: dict[str, object]) -> None:
    client, checkout = books.client()
    books.push(PaymentEvent("evt_odd", books.clock.now, body))
    books.push(*books.account.tell_paid(books.account.pay(checkout)))
    books.inbox().run(never)
    (odd,) = books.rows("select * from fleet.inbox where callback_id = 'evt_odd'")
    assert odd.parked_at is not None
    assert odd.last_error.startswith(str(body["type"]))
    assert "is no id of a" in odd.last_error
    assert books.status(client) == "PAID"
    assert books.inbox().run(never) == 0


def test_a_type_that_is_no_text_is_passed_over(books: Books) -> None:
    books.push(PaymentEvent("evt_odd", books.clock.now, {"type": {"a": 1}, "data": []}))
    books.inbox().run(never)
    assert books.handled() == {"evt_odd": "PASSED_OVER"}


def test_trouble_on_the_way_costs_a_try_and_is_tried_again_ever_later(books: Books) -> None:
    client, checkout = books.client()
    books.push(books.account.tell_paid(books.account.pay(checkout))[1])
    books.account.refuses = Transient("http_503", "away")
    pauses = []
    for number in range(1, PARK_AFTER):
        assert books.inbox().run(never) == 1
        (row,) = books.rows("select due_at, tries, last_error, parked_at from fleet.inbox")
        assert (row.tries, row.last_error, row.parked_at) == (number, "http_503", None)
        pauses.append((row.due_at - books.clock.now).total_seconds())
        assert books.inbox().run(never) == 0
        books.clock.forward(pauses[-1])
    assert pauses[:4] == [15 * 0.75, 30 * 0.75, 60 * 0.75, 120 * 0.75]
    assert pauses[-1] == 1800 * 0.75
    assert books.inbox().run(never) == 1
    assert books.scalar("select parked_at from fleet.inbox") == books.clock.now
    books.clock.forward(86400)
    assert books.inbox().run(never) == 0

    books.account.refuses = None
    books.change("update fleet.inbox set parked_at = null, tries = 0")
    books.inbox().run(never)
    assert books.status(client) == "PAID"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(RateLimited("http_429", "too much", 7), 7), (Misconfigured("http_401", "no such key"), 60)],
    ids=["rate limit", "key"],
)
def test_where_stripe_lets_nobody_in_everything_waits_and_no_try_is_burned(
    books: Books, error: Exception, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    sold = [books.client() for _ in range(BATCH + 8)]
    for _, checkout in sold:
        books.push(books.account.tell_paid(books.account.pay(checkout))[1])
    assert isinstance(error, RateLimited | Misconfigured)
    books.account.refuses = error

    assert books.inbox().run(never) == BATCH
    due = books.rows("select distinct due_at, tries, parked_at from fleet.inbox")
    assert [tuple(row) for row in due] == [(books.clock.now + timedelta(seconds=seconds), 0, None)]
    levels = {record.levelname for record in caplog.records if "Stripe" in record.message}
    assert levels == {"ERROR" if seconds == 60 else "WARNING"}
    calls = len(books.account.calls)
    assert books.inbox().run(never) == 0
    assert len(books.account.calls) == calls

    books.account.refuses = None
    books.clock.forward(seconds)
    assert books.inbox().run(never) == BATCH + 8
    assert {books.status(client) for client, _ in sold} == {"PAID"}


def test_a_fault_of_ours_with_one_event_parks_that_one_and_the_others_go_on(
    books: Books,
) -> None:
    good, bad = books.client(), books.client()
    for _, checkout in (good, bad):
        books.push(books.account.tell_paid(books.account.pay(checkout))[1])
    # What PostgreSQL refuses, as a column of the platform's might.
    broken = replace(books.account.checkouts[bad[1].session_id], customer_id="\0")
    books.account.checkouts[bad[1].session_id] = broken
    for _ in range(PARK_AFTER):
        books.inbox().run(never)
        books.clock.forward(3600)
    assert books.status(good[0]) == "PAID"
    assert books.status(bad[0]) == "PENDING"
    (row,) = books.rows("select * from fleet.inbox where parked_at is not null")
    assert "Error" in row.last_error
    assert "camille" not in row.last_error


def test_a_killed_worker_leaves_its_events_to_the_next_when_the_lease_ends(books: Books) -> None:
    client, checkout = books.client()
    books.push(*books.account.tell_paid(books.account.pay(checkout)))
    books.account.kills_at = 1
    with pytest.raises(Killed):
        books.inbox().run(never)
    assert books.inbox().run(never) == 0
    books.clock.forward(LEASE.total_seconds())
    assert books.inbox().run(never) == 2
    assert books.status(client) == "PAID"


def test_asked_to_stop_it_leaves_the_rest_due(books: Books) -> None:
    for _ in range(3):
        books.push(books.account.tell_paid(books.account.pay(books.client()[1]))[1])
    answers = iter([False, True, True, True, True])
    books.inbox().run(lambda: next(answers))
    assert books.account.calls == []
    assert books.inbox().run(never) == 3


def test_two_workers_share_a_burst_and_nothing_is_done_twice(books: Books) -> None:
    sold = [books.client() for _ in range(60)]
    for _, checkout in sold:
        books.push(*books.account.tell_paid(books.account.pay(checkout)))

    def work() -> None:
        StripeInbox(books.sessions, books.cashier(), books.clock).run(never)

    with side_by_side(work, work):
        pass
    assert {books.status(client) for client, _ in sold} == {"PAID"}
    assert books.scalar("select count(*) from fleet.settlements") == 60
    assert books.scalar("select count(*) from dossiers") == 60
    events = books.rows("select event_type::text, count(*) from events group by 1")
    assert {row.event_type: row.count for row in events} == {"DOSSIER_CREATED": 60, "PAYMENT_RECEIVED": 60}
    # One question each, but for pairs that two batches have torn apart.
    assert 60 <= len(books.account.calls) <= 66


def test_the_drain_of_the_other_providers_leaves_stripes_events_alone_and_is_not_woken(books: Books) -> None:
    with psycopg.connect(dsn(books.owner_url), autocommit=True) as listener:
        listener.execute("listen fleet")
        books.push(books.account.tell("customer.created", "cus_1"))
        with books.sessions.begin() as session:
            inbox.store(session, "sendgrid", '[{"callback_id": "one", "body": {}}]')
        woken = [notice.payload for notice in listener.notifies(timeout=5, stop_after=2)]
    assert woken == ["payments", "inbox"]
    assert Evidence(books.sessions, books.clock).run(never) == 1
    assert list(books.handled().values()) == [None]
    assert books.inbox().run(never) == 1
