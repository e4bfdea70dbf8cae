"""Where an order is paid at this moment: in its own session, or in a fresh one, and in one alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from providers.errors import Transient
from services.payments.checkouts import Place
from tests.notifications.pipeline import never, side_by_side
from tests.payments.desk import desk, stripe

if TYPE_CHECKING:
    from tests.payments.desk import Desk

__all__ = ["desk", "stripe"]  # fixtures


def test_an_open_session_is_where_it_is_paid(desk: Desk) -> None:
    client = desk.client()
    session_id = desk.order(client).stripe_checkout_session_id
    way = desk.checkouts().live_checkout(client.order_id, 1)
    assert way.place is Place.OPEN
    assert way.url == f"{desk.sandbox.base_url}/checkout/{session_id}"
    assert desk.open_sessions(client) == [session_id]


@pytest.mark.parametrize("ended", ["expired", "nearly", "none", "unknown"])
def test_a_fresh_one_takes_the_place_of_what_has_ended(desk: Desk, ended: str) -> None:
    client = desk.client(opened=ended == "expired")
    old = desk.order(client).stripe_checkout_session_id
    if ended == "expired":
        desk.sandbox.expire_session(old)
    elif ended == "nearly":
        order = desk.checkouts().read(client.order_id)
        assert order is not None
        soon = datetime.now(UTC) + timedelta(minutes=40)
        old = desk.checkouts().fresh(order, [uuid4().hex], soon).session_id
        desk.set_order(client, "stripe_checkout_session_id", old)
    elif ended == "unknown":
        desk.set_order(client, "stripe_checkout_session_id", f"cs_test_{uuid4().hex}")

    way = desk.checkouts().live_checkout(client.order_id, 2)
    session_id = desk.order(client).stripe_checkout_session_id
    assert (way.place, desk.open_sessions(client)) == (Place.OPEN, [session_id])
    assert session_id != old
    (made,) = desk.rows("select * from fleet.reminder_sessions where order_id = :id", id=client.order_id)
    assert (made.session_id, made.number) == (session_id, 2)
    assert made.expires_at - desk.clock.now > timedelta(hours=21)
    assert desk.checkouts().live_checkout(client.order_id, 1) == way, "the same for the next click"


@pytest.mark.parametrize(
    ("status", "place"),
    [("PAID", Place.PAID), ("CANCELLED", Place.CLOSED), ("REFUNDED", Place.CLOSED), ("FAILED", Place.CLOSED)],
)
def test_an_order_that_waits_for_no_payment(desk: Desk, status: str, place: Place) -> None:
    client = desk.client(opened=False)
    desk.set_order(client, "status", status)
    way = desk.checkouts().live_checkout(client.order_id, 1)
    assert (way.place, way.url, desk.open_sessions(client)) == (place, None, [])


def test_an_order_that_is_not_there(desk: Desk) -> None:
    assert desk.checkouts().live_checkout(uuid4(), 1).place is Place.CLOSED


def test_what_was_just_paid_is_settled(desk: Desk) -> None:
    client = desk.client()
    desk.sandbox.pay(desk.order(client).stripe_checkout_session_id)
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.PAID
    assert desk.order(client).status == "PAID"


def test_a_debit_under_way_is_waited_for(desk: Desk) -> None:
    client = desk.client()
    session_id = desk.order(client).stripe_checkout_session_id
    desk.sandbox.pay_later(session_id)
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.UNDER_WAY
    desk.sandbox.finish_async(session_id, succeeded=False)
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.OPEN


def test_clicks_at_once_share_one_session(desk: Desk) -> None:
    client = desk.client(opened=False)
    urls: set[str | None] = set()

    def click() -> None:
        urls.add(desk.checkouts().live_checkout(client.order_id, 1).url)

    with side_by_side(*[click] * 4):
        pass
    assert len(urls) == 1
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]


def test_a_click_within_a_reminder_leaves_one_session(desk: Desk) -> None:
    client = desk.client(opened=False)
    reminders = desk.reminders()
    reminders.claim(never)
    desk.at("after create", lambda: desk.checkouts().live_checkout(client.order_id, 1))
    reminders.run(never)
    desk.clock.forward(11)
    reminders.run(never)
    assert [row.state for row in desk.reminded(client)] == ["SENT"]
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]


def test_a_session_that_has_ended_within_the_hour_does_not_come_back(desk: Desk) -> None:
    client = desk.client(opened=False)
    first = desk.checkouts().live_checkout(client.order_id, 1)
    for _ in range(2):
        desk.clock.forward(60)
        desk.sandbox.expire_session(desk.order(client).stripe_checkout_session_id)
        again = desk.checkouts().live_checkout(client.order_id, 1)
        assert again.url != first.url
        assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]
        first = again


def test_a_failure_that_stripe_keeps_is_gone_the_next_minute(desk: Desk) -> None:
    client = desk.client(opened=False)
    desk.sandbox.fault("status", count=2, status=500)
    with pytest.raises(Transient, match="http_500"):
        desk.checkouts().live_checkout(client.order_id, 1)
    assert desk.order(client).stripe_checkout_session_id is None
    desk.clock.forward(60)
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.OPEN


def test_an_order_cancelled_on_the_way_has_no_session_left(desk: Desk) -> None:
    client = desk.client(opened=False)
    desk.at("after create", lambda: desk.set_order(client, "status", "CANCELLED"))
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.CLOSED
    assert desk.open_sessions(client) == []


def test_a_session_of_another_price_is_closed(desk: Desk) -> None:
    client = desk.client()
    desk.set_order(client, "amount", 1_00)
    assert desk.checkouts().live_checkout(client.order_id, 1).place is Place.OPEN
    (left,) = desk.open_sessions(client)
    assert left == desk.order(client).stripe_checkout_session_id
    found = desk.checkouts().cashier.provider.checkout(left)
    assert found is not None
    assert found.amount == 1_00


def test_what_has_changed_is_asked_for_under_another_key(desk: Desk) -> None:
    client = desk.client(opened=False)
    checkouts = desk.checkouts()
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    before = checkouts.read(client.order_id)
    desk.set_order(client, "amount", 1_00)
    after = checkouts.read(client.order_id)
    assert before is not None
    assert after is not None
    made = [checkouts.fresh(order, ["same"], until) for order in (before, before, after)]
    assert made[0] == made[1]
    assert (made[0].amount, made[2].amount) == (99_900, 100)
