"""One reminder: the order is looked at again, paid for in a fresh session, and told of once, whoever dies."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker

from db import json_rows
from db.queries import dead_letters, notices, queues
from providers.errors import Misconfigured, RateLimited
from services.notifications import fallback
from services.payments.postponing import PARK_AFTER
from services.payments.reminding import LEASE
from tests.notifications.pipeline import never, side_by_side
from tests.payments.account import Killed
from tests.payments.desk import LADDER, PUBLIC_URL, desk, stripe

if TYPE_CHECKING:
    from tests.payments.desk import Desk

__all__ = ["desk", "stripe"]  # fixtures


def test_a_reminder(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = desk.client()
    old = desk.order(client).stripe_checkout_session_id
    reminders = desk.reminders()
    assert reminders.claim(never) == 1
    assert reminders.run(never) == 1

    order = desk.order(client)
    assert (order.status, desk.open_sessions(client)) == ("PENDING", [order.stripe_checkout_session_id])
    assert order.stripe_checkout_session_id != old
    (row,) = desk.reminded(client)
    assert (row.number, row.state, row.last) == (1, "SENT", False)
    assert (row.session_id, row.sent_at) == (order.stripe_checkout_session_id, desk.clock.now)
    (made,) = desk.rows("select * from fleet.reminder_sessions where order_id = :id", id=client.order_id)
    assert (made.session_id, made.number) == (row.session_id, 1)
    (notice,) = desk.told(client)
    assert (notice.id, notice.template_code) == (row.notice_id, "REMINDER")
    assert notice.notice_key == f"reminder:{client.order_id}:1"
    assert notice.action_url == f"{PUBLIC_URL}/r/{row.token}"
    assert len(row.token) == 22
    assert notice.payload == {
        "number": 1,
        "last": False,
        "amount": order.amount,
        "currency": order.currency,
        "product": "LLC Formation",
    }
    assert client.email not in caplog.text
    assert reminders.claim(never) == reminders.run(never) == 0


def test_what_the_fresh_session_asks_for(desk: Desk) -> None:
    client = desk.client()
    desk.set_order(client, "amount", 123_400)
    reminders = desk.reminders()
    reminders.claim(never)
    reminders.run(never)
    session = desk.stripe.payments.checkout(desk.order(client).stripe_checkout_session_id)
    assert session is not None
    order = desk.order(client)
    assert (session.amount, session.currency) == (123_400, order.currency.lower())
    assert session.metadata == {
        "order_id": str(client.order_id),
        "user_id": str(client.user_id),
        "product_id": str(order.product_id),
    }
    (row,) = desk.reminded(client)
    assert (row.amount, row.currency) == (123_400, order.currency)
    left = session.expires_at - row.claimed_at
    assert timedelta(hours=23) - left < timedelta(seconds=1)
    (shown,) = [
        each for each in desk.sandbox.stripe_sessions(mark=str(client.order_id)) if each.status == "open"
    ]
    assert shown.customer_email == client.email
    paid = desk.sandbox.pay(session.session_id)
    found = desk.stripe.payments.payment(paid.payment_intent or "")
    assert found is not None
    assert found.metadata == session.metadata


def test_who_has_paid_meanwhile_is_settled_and_not_reminded(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.sandbox.pay(desk.order(client).stripe_checkout_session_id)
    reminders.run(never)
    assert desk.order(client).status == "PAID"
    (row,) = desk.reminded(client)
    assert (row.state, row.reason) == ("SKIPPED", "paid")
    assert desk.told(client) == []
    assert (
        desk.scalar("select learned from fleet.settlements where order_id = :id", id=client.order_id)
        == "CHECK"
    )


def test_who_pays_while_the_old_session_is_closed_is_settled_as_well(desk: Desk) -> None:
    client = desk.client()
    session_id = desk.order(client).stripe_checkout_session_id
    reminders = desk.reminders()
    reminders.claim(never)
    desk.at("before expire", lambda: desk.sandbox.pay(session_id))
    reminders.run(never)
    assert desk.order(client).status == "PAID"
    assert [(row.state, row.reason) for row in desk.reminded(client)] == [("SKIPPED", "paid")]
    assert desk.sandbox.stripe_calls().get("POST /v1/checkout/sessions/{id}/expire", 0) >= 1
    assert (desk.open_sessions(client), desk.told(client)) == ([], [])


def test_who_pays_by_bank_debit_is_waited_for_and_reminded_when_it_bounces(desk: Desk) -> None:
    client = desk.client()
    session_id = desk.order(client).stripe_checkout_session_id
    desk.sandbox.pay_later(session_id)
    reminders = desk.reminders()
    reminders.claim(never)
    reminders.run(never)
    assert [(row.state, row.reason) for row in desk.reminded(client)] == [("SKIPPED", "payment under way")]
    assert desk.order(client).stripe_checkout_session_id == session_id

    desk.sandbox.finish_async(session_id, succeeded=False)
    age(desk, 3)
    assert reminders.claim(never) == 1
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SKIPPED", "SENT"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("update orders set status = 'PAID' where id = :order", "paid"),
        ("update orders set status = 'CANCELLED' where id = :order", "order not pending"),
        ("update profiles set status = 'ACTIVE' where id = :user", "person not suspended"),
        ("update products set active = false where code = 'LLC_FORMATION'", "product not active"),
    ],
)
def test_what_has_changed_since_the_claim_counts(desk: Desk, change: str, reason: str) -> None:
    client = desk.client()
    session_id = desk.order(client).stripe_checkout_session_id
    reminders = desk.reminders()
    reminders.claim(never)
    values = {"order": client.order_id, "user": client.user_id}
    desk.change(change, **{name: value for name, value in values.items() if f":{name}" in change})
    reminders.run(never)
    desk.change("update products set active = true")
    assert [(row.state, row.reason) for row in desk.reminded(client)] == [("SKIPPED", reason)]
    assert desk.open_sessions(client) == [session_id], "and nobody has closed it"


@pytest.mark.parametrize("step", ["before create", "after create"])
def test_an_order_cancelled_on_the_way_has_no_session_left(desk: Desk, step: str) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.at(step, lambda: desk.set_order(client, "status", "CANCELLED"))
    reminders.run(never)
    assert [(row.state, row.reason) for row in desk.reminded(client)] == [("SKIPPED", "order not pending")]
    assert (desk.open_sessions(client), desk.told(client)) == ([], [])


def test_a_session_that_the_application_makes_on_the_way_is_looked_at_first(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    other = desk.open(client)
    desk.at("after create", lambda: desk.set_order(client, "stripe_checkout_session_id", other))
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["CLAIMED"]
    assert desk.reminded(client)[0].tries == 0
    desk.clock.forward(11)
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SENT"]
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]


def test_a_session_of_another_order_is_not_closed(desk: Desk) -> None:
    client, other = desk.client(opened=False), desk.client(opened=False)
    session_id = desk.open(other)
    desk.set_order(client, "stripe_checkout_session_id", session_id)
    desk.change("update profiles set status = 'ACTIVE' where id = :id", id=other.user_id)
    reminders = desk.reminders()
    reminders.claim(never)
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SENT"]
    assert desk.open_sessions(other) == [session_id]
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]


def test_the_link_names_no_person_and_no_order(desk: Desk) -> None:
    clients = [desk.client() for _ in range(5)]
    reminders = desk.reminders()
    reminders.claim(never)
    assert reminders.run(never) == 5
    tokens = {row.token for client in clients for row in desk.reminded(client)}
    assert len(tokens) == 5


def test_trouble_on_the_way_costs_a_try_and_is_tried_again_ever_later(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.sandbox.fault("status", count=3, status=503, request="look")
    pauses = []
    for number in (1, 2, 3):
        assert reminders.run(never) == 1
        (row,) = desk.reminded(client)
        assert (row.state, row.tries, row.last_error) == ("CLAIMED", number, "http_503")
        pauses.append((row.due_at - desk.clock.now).total_seconds())
        assert reminders.run(never) == 0
        desk.clock.forward(pauses[-1])
    assert pauses == [15 * 0.75, 30 * 0.75, 60 * 0.75]
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SENT"]


def test_what_fails_too_often_waits_for_a_person(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.change("update fleet.reminders set tries = :tries", tries=PARK_AFTER - 1)
    desk.sandbox.fault("status", status=503, request="look")
    reminders.run(never)
    (row,) = desk.reminded(client)
    assert (row.state, row.parked_at) == ("CLAIMED", desk.clock.now)
    desk.clock.forward(3600)
    assert reminders.run(never) == 0
    age(desk, 30)
    assert reminders.claim(never) == 0, "not before somebody has looked at this one"


@pytest.mark.parametrize("step", ["create", "expire"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "drop_before"},
        {"kind": "drop_after"},
    ],
    ids=["500", "503", "lost before", "lost after"],
)
def test_an_unknown_outcome_is_tried_again_and_leaves_one_session(
    desk: Desk, step: str, fault: dict[str, object]
) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.at(f"before {step}", lambda: desk.sandbox.fault(**fault))  # type: ignore[arg-type]  # a fault's own
    reminders.run(never)
    assert [(row.state, row.tries) for row in desk.reminded(client)] == [("CLAIMED", 1)]
    desk.clock.forward(60)
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SENT"]
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]
    assert len(desk.told(client)) == 1


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(RateLimited("http_429", "too much", 7), 7), (Misconfigured("http_401", "no such key"), 60)],
    ids=["rate limit", "key"],
)
def test_where_stripe_lets_nobody_in_everything_waits(desk: Desk, error: Exception, seconds: int) -> None:
    for _ in range(3):
        desk.client()
    reminders = desk.reminders()
    assert reminders.claim(never) == 3

    def refuse(_: str) -> None:
        raise error

    desk.stripe.payments.at = refuse
    reminders.run(never)
    due = desk.rows("select distinct due_at, tries, parked_at from fleet.reminders")
    assert [tuple(row) for row in due] == [(desk.clock.now + timedelta(seconds=seconds), 0, None)]
    assert reminders.run(never) == 0
    desk.stripe.payments.at = lambda _: None
    desk.clock.forward(seconds)
    assert reminders.run(never) == 3
    assert desk.scalar("select count(*) from fleet.reminders where state = 'SENT'") == 3


def test_asked_to_stop_it_leaves_the_rest_due(desk: Desk) -> None:
    for _ in range(3):
        desk.client()
    reminders = desk.reminders()
    assert reminders.claim(lambda: True) == 0
    reminders.claim(never)
    answers = iter([False, True, True, True, True])
    assert reminders.run(lambda: next(answers)) == 3
    assert desk.scalar("select count(*) from fleet.reminders where state = 'CLAIMED'") == 3
    assert reminders.run(never) == 3


def test_after_a_day_a_try_asks_for_another_session(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    desk.change("update fleet.reminders set claimed_at = claimed_at - interval '30 hours'")
    reminders.run(never)
    session = desk.stripe.payments.checkout(desk.order(client).stripe_checkout_session_id)
    assert session is not None
    assert timedelta(hours=14) < session.expires_at - desk.clock.now < timedelta(hours=16)


def test_killed_anywhere_it_ends_with_one_reminder_one_session_and_one_notice(desk: Desk) -> None:
    for kill_at in count(1):
        client = desk.client()
        steps = count(1)

        def die(_: object = None, kill_at: int = kill_at, steps: count[int] = steps) -> None:
            if next(steps) == kill_at:
                raise Killed

        mortal = sessionmaker(desk.sessions.kw["bind"], expire_on_commit=False)
        event.listen(mortal, "before_commit", die)
        event.listen(mortal, "after_commit", die)
        desk.stripe.payments.at = die
        reminders = desk.reminders(sessions=mortal)
        try:
            reminders.claim(never)
            reminders.run(never)
            survived = True
        except Killed:
            survived = False
        desk.stripe.payments.at = lambda _: None
        # The sandbox has no other time than ours, so the lease is ended instead of waited for.
        desk.change("update fleet.reminders set due_at = due_at - :lease", lease=LEASE)
        again = desk.reminders()
        again.claim(never)
        again.run(never)

        (row,) = desk.reminded(client)
        assert (row.number, row.state) == (1, "SENT")
        session_id = desk.order(client).stripe_checkout_session_id
        assert desk.open_sessions(client) == [session_id] == [row.session_id]
        assert [notice.id for notice in desk.told(client)] == [row.notice_id]
        if survived:
            break
    assert kill_at > 15


def test_two_workers_share_a_run_and_nothing_is_done_twice(desk: Desk) -> None:
    clients = [desk.client() for _ in range(24)]

    def work() -> None:
        reminders = desk.reminders()
        reminders.claim(never)
        reminders.run(never)

    with side_by_side(work, work):
        pass
    desk.reminders().run(never)
    for client in clients:
        assert [(row.number, row.state) for row in desk.reminded(client)] == [(1, "SENT")]
        assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]
        assert len(desk.told(client)) == 1


def test_told_on_each_channel_it_is_listed_by_each(desk: Desk) -> None:
    client = desk.client(days=1.5)
    reminders = desk.reminders(LADDER)
    reminders.claim(never)
    reminders.run(never)
    desk.clock.forward(30)
    assert desk.notices().run(never) == 1
    listed = desk.rows(
        "select sent_via::text, sent_at, user_id, clicked_at from payment_reminders where order_id = :id"
        " order by 1",
        id=client.order_id,
    )
    assert [tuple(row) for row in listed] == [
        (channel, desk.clock.now, client.user_id, None) for channel in ("EMAIL", "IN_APP", "WHATSAPP")
    ]


def test_given_way_to_another_channel_it_is_listed_by_that_as_well(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.claim(never)
    reminders.run(never)
    desk.notices().run(never)
    desk.change("update notification_deliveries set status = 'FAILED' where channel = 'WHATSAPP'")
    (failed,) = desk.rows("select id from notification_deliveries where channel = 'WHATSAPP'")
    desk.clock.forward(60)
    with desk.sessions.begin() as session:
        assert fallback.give_way(session, [failed.id], "FAILED", desk.clock.now) == [failed.id]
    (listed,) = desk.rows("select order_id, sent_at from payment_reminders where sent_via = 'SMS'")
    assert tuple(listed) == (client.order_id, desk.clock.now)


def test_other_notices_are_no_reminders(desk: Desk) -> None:
    client = desk.client()
    row = {"notice_key": "x", "user_id": client.user_id, "template_code": "ORDER_CANCELLED"}
    payload = {"amount": 1, "currency": "USD", "product": "LLC Formation"}
    with desk.sessions.begin() as session:
        notices.put(session, json_rows.dumps([{**row, "payload": payload}]))
    assert desk.notices().run(never) == 1
    assert desk.rows("select * from payment_reminders") == []


def test_a_parked_one_is_a_dead_letter_and_is_sent_when_it_is_replayed(desk: Desk) -> None:
    clients = [desk.client(), desk.client()]
    reminders = desk.reminders()
    reminders.claim(never)
    parked, done = (f"{client.order_id}/1" for client in clients)
    desk.change("update fleet.reminders set tries = 12, last_error = 'http_400', parked_at = due_at")
    desk.change("update fleet.reminders set state = 'SKIPPED' where order_id = :id", id=clients[1].order_id)
    with desk.sessions.begin() as session:
        (letter,) = dead_letters.find(session, dead_letters.Meant(queue="reminders"))
        assert (letter.id, letter.tries, letter.error) == (parked, 12, "http_400")
        states = {state.queue: state for state in queues.states(session, desk.clock.now)}
        assert (states["reminders"].due, states["reminders"].parked) == (0, 1)
        other = replace(letter, id=done)
        dead_letters.replay(session, [letter, other], desk.clock.now)
        assert queues.due(session, [], desk.clock.now) == ["reminders"]
    assert reminders.run(never) == 1
    assert [row.state for row in desk.reminded(clients[0])] == ["SENT"]


def age(desk: Desk, days: float) -> None:
    """So long ago, all that was reminded of; the sandbox has no other time than ours."""
    desk.change(
        "update fleet.reminders set claimed_at = claimed_at - make_interval(hours => :hours),"
        " sent_at = sent_at - make_interval(hours => :hours)",
        hours=int(days * 24),
    )
    desk.change(
        "update payment_reminders set sent_at = sent_at - make_interval(hours => :hours)",
        hours=int(days * 24),
    )
