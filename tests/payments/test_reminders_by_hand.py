"""A reminder that a person asks for: refused by the rules, or forced and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from db.queries.interventions import By
from providers.errors import Misconfigured
from services.payments.by_hand import RefusedError
from services.payments.ladder import ReminderPolicy
from services.payments.objections import Refusal
from services.payments.sending import Result
from tests.notifications.pipeline import never
from tests.payments.desk import FLAT, LADDER, desk, stripe

if TYPE_CHECKING:
    from tests.payments.desk import Desk

__all__ = ["desk", "stripe"]  # fixtures

BY = By("Ada", "asked for by phone")


def recorded(desk: Desk) -> list[Any]:
    return desk.rows("select who, why, action, subject, details from fleet.interventions")


def test_by_the_rules(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    considered = reminders.consider(client.order_id)
    assert (considered.order_id, considered.number, considered.forced) == (client.order_id, 1, ())
    assert desk.reminded(client) == [], "considered only"

    reminded = reminders.remind(BY, client.order_id)
    assert (reminded.considered, reminded.result) == (considered, Result.SENT)
    (row,) = desk.reminded(client)
    assert (row.state, row.forced_by, row.forced_why) == ("SENT", None, None)
    assert len(desk.told(client)) == 1
    details = {"number": 1, "forced": []}
    assert [tuple(each) for each in recorded(desk)] == [(*_by(), "remind", client.order_id, details)]
    assert reminders.run(never) == 0


def test_a_second_one_within_the_interval_is_refused_unless_it_is_forced(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders()
    reminders.remind(BY, client.order_id)
    desk.clock.forward(600)
    with pytest.raises(
        RefusedError, match="reminded of 0 hours ago, and 3 days are to lie between"
    ) as refused:
        reminders.remind(BY, client.order_id)
    assert refused.value.forcible
    assert len(recorded(desk)) == 1

    assert reminders.remind(BY, client.order_id, force=True).result is Result.SENT
    _, second = desk.reminded(client)
    assert (second.number, second.state, second.forced_by, second.forced_why) == (2, "SENT", *_by())
    assert recorded(desk)[1].details == {"number": 2, "forced": ["TOO_SOON", "RESTING"]}
    assert desk.open_sessions(client) == [desk.order(client).stripe_checkout_session_id]


@pytest.mark.parametrize(
    ("change", "policy", "refusal"),
    [
        ("update profiles set status = 'ACTIVE'", FLAT, Refusal.NOT_SUSPENDED),
        ("update products set active = false", FLAT, Refusal.INACTIVE),
        ("update orders set created_at = now()", LADDER, Refusal.NOT_YET),
    ],
)
def test_what_the_rules_refuse_can_be_forced(
    desk: Desk, change: str, policy: ReminderPolicy, refusal: Refusal
) -> None:
    client = desk.client()
    desk.change(change)
    reminders = desk.reminders(policy)
    with pytest.raises(RefusedError) as refused:
        reminders.consider(client.order_id)
    assert refused.value.refusals == (refusal,)
    assert reminders.consider(client.order_id, force=True).forced == (refusal,)
    assert reminders.remind(BY, client.order_id, force=True).result is Result.SENT
    desk.change("update products set active = true")


def test_as_often_as_is_set_can_be_forced(desk: Desk) -> None:
    client = desk.client()
    reminders = desk.reminders(ReminderPolicy(most=1))
    assert reminders.remind(BY, client.order_id).considered.last
    desk.clock.forward(4 * 86_400)
    with pytest.raises(RefusedError, match="1 times, as often as is set"):
        reminders.consider(client.order_id)
    assert reminders.consider(client.order_id, force=True).forced == (Refusal.ENOUGH,)


@pytest.mark.parametrize("status", ["PAID", "CANCELLED", "REFUNDED", "FAILED"])
def test_what_waits_for_no_payment_cannot_be_forced(desk: Desk, status: str) -> None:
    client = desk.client()
    desk.set_order(client, "status", status)
    with pytest.raises(RefusedError, match=f"the order is {status}") as refused:
        desk.reminders().remind(BY, client.order_id, force=True)
    assert not refused.value.forcible
    assert (recorded(desk), desk.reminded(client)) == ([], [])


def test_one_that_is_on_its_way_is_not_doubled(desk: Desk) -> None:
    client = desk.client()
    desk.reminders().claim(never)
    with pytest.raises(RefusedError, match="on its way") as refused:
        desk.reminders().remind(BY, client.order_id, force=True)
    assert not refused.value.forcible


@pytest.mark.parametrize("what", ["order_id", "user_id"])
def test_nobody_knows_it(desk: Desk, what: str) -> None:
    with pytest.raises(RefusedError, match=r"there is no such order|the person has no order") as refused:
        desk.reminders().remind(BY, **{what: uuid4()}, force=True)
    assert refused.value.refusals == (Refusal.UNKNOWN,)


def test_of_a_persons_orders_the_oldest_that_may_be(desk: Desk) -> None:
    client = desk.client(opened=False)
    second = desk.another_order(client, 5)
    third = desk.another_order(client, 3)
    reminders = desk.reminders()

    def chosen() -> UUID:
        return reminders.consider(user_id=client.user_id, force=True).order_id

    assert chosen() == client.order_id
    desk.set_order(client, "status", "PAID")
    assert chosen() == second
    desk.change("update orders set status = 'CANCELLED' where id <> :id", id=third)
    assert reminders.remind(BY, user_id=client.user_id).considered.order_id == third
    desk.change("update orders set status = 'CANCELLED'")
    with pytest.raises(RefusedError, match="the order is CANCELLED"):
        reminders.consider(user_id=client.user_id)


def test_who_has_paid_in_the_meantime_is_settled(desk: Desk) -> None:
    client = desk.client()
    desk.sandbox.pay(desk.order(client).stripe_checkout_session_id)
    reminded = desk.reminders().remind(BY, client.order_id, force=True)
    assert (reminded.result, reminded.detail) == (Result.SKIPPED, "paid")
    assert desk.order(client).status == "PAID"


def test_while_stripe_is_away_it_is_left_to_a_worker(desk: Desk) -> None:
    client = desk.client()

    def refuse(_: str) -> None:
        raise Misconfigured("http_401", "no such key")

    desk.stripe.payments.at = refuse
    reminded = desk.reminders().remind(BY, client.order_id)
    assert (reminded.result, reminded.detail) == (None, "http_401")
    desk.stripe.payments.at = lambda _: None
    desk.clock.forward(61)
    assert desk.reminders().run(never) == 1
    assert [row.state for row in desk.reminded(client)] == ["SENT"]


def _by() -> tuple[str, str]:
    return BY.who, BY.why
