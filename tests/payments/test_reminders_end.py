"""The end of a ladder: an order that nobody has paid is cancelled, and its client told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from providers.errors import RateLimited
from services.payments.ladder import ReminderPolicy
from tests.notifications.pipeline import never, side_by_side
from tests.payments.desk import FLAT, LADDER, desk, stripe

if TYPE_CHECKING:
    from tests.payments.desk import Desk
    from workers.dev.application import Client

__all__ = ["desk", "stripe"]  # fixtures


def exhausted(desk: Desk, *, days: float = 3) -> Client:
    """A client whose last reminder was sent so long ago."""
    client = desk.client(days=20)
    desk.change(
        "insert into fleet.reminders (order_id, number, user_id, last, claimed_at, due_at, state, amount,"
        " currency, sent_at) select :order, n, :user, n = 3, :now, :now, 'SENT', 1, 'USD',"
        " cast(:now as timestamptz) - make_interval(mins => :mins) from generate_series(1, 3) n",
        order=client.order_id,
        user=client.user_id,
        now=desk.clock.now,
        mins=int(days * 24 * 60),
    )
    desk.change("update fleet.reminders set claimed_at = sent_at where order_id = :id", id=client.order_id)
    return client


def test_given_up(desk: Desk) -> None:
    client = exhausted(desk)
    assert desk.reminders(LADDER).cancel_exhausted(never) == 1
    assert desk.order(client).status == "CANCELLED"
    assert desk.open_sessions(client) == []
    (row,) = desk.rows("select * from fleet.cancellations")
    assert (row.order_id, row.reminders, row.cancelled_at) == (client.order_id, 3, desk.clock.now)
    (event,) = desk.rows("select * from events where entity_id = :id", id=client.order_id)
    assert (event.entity_type, event.event_type, event.actor_type) == ("order", "PAYMENT_FAILED", "SYSTEM")
    assert event.payload == {"order_id": str(client.order_id), "code": "reminders_exhausted"}
    (notice,) = desk.told(client)
    assert (notice.notice_key, notice.template_code) == (f"cancelled:{client.order_id}", "ORDER_CANCELLED")
    assert notice.payload == {"amount": 99_900, "currency": "USD", "product": "LLC Formation"}
    assert desk.scalar("select status::text from profiles where id = :id", id=client.user_id) == "SUSPENDED"

    assert desk.reminders(LADDER).cancel_exhausted(never) == 0
    assert len(desk.told(client)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "update fleet.reminders set sent_at = sent_at + interval '2 hours' where last",
        "update fleet.reminders set last = false",
        "update fleet.reminders set state = 'CLAIMED' where not last",
        "update fleet.reminders set state = 'SKIPPED' where last",
        "update profiles set status = 'ACTIVE'",
        "update orders set status = 'PAID'",
    ],
    ids=["too soon", "not the last", "on its way", "not sent", "active", "paid"],
)
def test_not_given_up(desk: Desk, change: str) -> None:
    client = exhausted(desk)
    desk.change(change)
    before = desk.order(client).status
    assert desk.reminders(LADDER).cancel_exhausted(never) == 0
    assert desk.order(client).status == before
    assert desk.rows("select * from fleet.cancellations") == []


def test_only_on_a_ladder(desk: Desk) -> None:
    exhausted(desk)
    assert desk.reminders(FLAT).cancel_exhausted(never) == 0
    assert desk.reminders(ReminderPolicy(most=3)).cancel_exhausted(never) == 0
    assert desk.reminders(ReminderPolicy(ladders={"LLC_FORMATION": (1,)})).cancel_exhausted(never) == 1


def test_who_has_paid_at_the_last_moment_is_settled(desk: Desk) -> None:
    paid, debited = exhausted(desk), exhausted(desk)
    desk.sandbox.pay(desk.order(paid).stripe_checkout_session_id)
    desk.sandbox.pay_later(desk.order(debited).stripe_checkout_session_id)
    racing = exhausted(desk)
    session_id = desk.order(racing).stripe_checkout_session_id
    desk.at("before expire", lambda: desk.sandbox.pay(session_id))
    assert desk.reminders(LADDER).cancel_exhausted(never) == 0
    assert [desk.order(client).status for client in (paid, debited, racing)] == ["PAID", "PENDING", "PAID"]


def test_what_happens_between_the_look_and_the_lock_counts(desk: Desk) -> None:
    client = exhausted(desk)
    fresh = desk.open(client)
    desk.at("after expire", lambda: desk.set_order(client, "stripe_checkout_session_id", fresh))
    assert desk.reminders(LADDER).cancel_exhausted(never) == 0
    assert desk.order(client).status == "PENDING"
    assert desk.reminders(LADDER).cancel_exhausted(never) == 1, "the next day"
    assert desk.open_sessions(client) == []


def test_an_order_about_which_stripe_says_nothing_is_left_to_the_next_day(desk: Desk) -> None:
    clients = [exhausted(desk) for _ in range(3)]
    desk.sandbox.fault("status", status=503, request="look")
    assert desk.reminders(LADDER).cancel_exhausted(never) == 2
    assert desk.reminders(LADDER).cancel_exhausted(never) == 1
    assert {desk.order(client).status for client in clients} == {"CANCELLED"}


def test_where_stripe_lets_nobody_in_it_stops(desk: Desk) -> None:
    for _ in range(3):
        exhausted(desk)
    asked = []

    def refuse(step: str) -> None:
        asked.append(step)
        raise RateLimited("http_429", "too much", 7)

    desk.stripe.payments.at = refuse
    assert desk.reminders(LADDER).cancel_exhausted(never) == 0
    assert len(asked) == 1
    assert desk.reminders(LADDER).cancel_exhausted(lambda: True) == 0


def test_two_at_once_tell_it_once(desk: Desk) -> None:
    clients = [exhausted(desk) for _ in range(6)]
    done: list[int] = []

    def cancel() -> None:
        done.append(desk.reminders(LADDER).cancel_exhausted(never))

    with side_by_side(cancel, cancel):
        pass
    assert sum(done) == 6
    for client in clients:
        assert len(desk.told(client)) == 1
        assert desk.scalar("select count(*) from events where entity_id = :id", id=client.order_id) == 1
