"""What each thing that Stripe may say means for an order: settled, failed, given back, or a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.payments.applying import Learned, Outcome
from tests.payments.till import (
    NOW,
    PRICE,
    SETTLED_EVENTS,
    STEPS,
    Standing,
    declined,
    expired,
    given_back,
    opened,
    paid,
    payment,
)

if TYPE_CHECKING:
    from tests.payments.till import Till

PAID = Standing("PAID", "ACTIVE", 1, STEPS, SETTLED_EVENTS)


def test_a_payment_settles_the_order(till: Till) -> None:
    client = till.register()
    checkout = paid(opened(client))

    applied = till.take(checkout, Learned.POLL)

    assert (applied.outcome, applied.order_id) == (Outcome.SETTLED, client.order_id)
    assert till.standing(client) == PAID
    order = till.order(client)
    assert order.amount == PRICE
    assert order.paid_at == NOW - timedelta(minutes=50)
    assert order.stripe_checkout_session_id == checkout.session_id
    assert order.stripe_payment_intent_id == applied_payment(checkout)
    assert order.stripe_customer_id == checkout.customer_id
    (profile,) = till.rows("select * from profiles where id = :id", id=client.user_id)
    assert profile.stripe_customer_id == checkout.customer_id
    (settlement,) = till.rows("select * from fleet.settlements where order_id = :id", id=client.order_id)
    assert (settlement.dossier_id, settlement.learned) == (order.dossier_id, "POLL")
    assert (settlement.amount, settlement.currency) == (PRICE, "USD")


def test_the_events_name_what_they_are_about_and_say_that_nobody_did_it(till: Till) -> None:
    client = till.register()
    till.take(paid(opened(client)))

    order = till.order(client)
    events = till.rows(
        "select * from events where entity_id in (:order, :dossier) order by event_type",
        order=order.id,
        dossier=order.dossier_id,
    )
    payload = {
        "order_id": str(order.id),
        "dossier_id": str(order.dossier_id),
        "user_id": str(client.user_id),
        "product_id": str(order.product_id),
        "amount": PRICE,
        "currency": "USD",
    }
    assert [(e.event_type, e.entity_type, e.entity_id) for e in events] == [
        ("DOSSIER_CREATED", "dossier", order.dossier_id),
        ("PAYMENT_RECEIVED", "order", order.id),
    ]
    assert [(e.actor_type, e.actor_id, e.payload) for e in events] == [("SYSTEM", None, payload)] * 2


def test_again_it_changes_nothing(till: Till) -> None:
    client = till.register()
    checkout = paid(opened(client))
    till.take(checkout)
    before = everything(till, client)

    assert [till.take(checkout, learned).outcome for learned in Learned] == [Outcome.ALREADY] * 4
    assert everything(till, client) == before


def test_what_was_said_before_changes_nothing_afterwards(till: Till) -> None:
    client = till.register()
    session = opened(client)
    till.take(given_back(paid(session), 100))
    before = everything(till, client)

    for stale in (session, paid(session), expired(session), declined(session)):
        till.take(stale)

    assert everything(till, client) == before


def test_a_session_that_names_no_order_is_found_by_the_order(till: Till) -> None:
    client = till.register()
    checkout = paid(opened(client, order_id=None, user_id=None))
    till.set_order(client, stripe_checkout_session_id=checkout.session_id)

    assert till.take(checkout).outcome == Outcome.SETTLED
    assert till.standing(client) == PAID


def test_a_session_of_another_product_of_the_account_is_none_of_ours(till: Till) -> None:
    applied = till.take(paid(opened(till.register(), order_id=None, user_id=None)))

    assert (applied.outcome, applied.order_id) == (Outcome.FOREIGN, None)


@pytest.mark.parametrize(
    "named", ["", "none", "6f1b", "00000000-0000-4000-8000-000000000000", "'; drop", "\0", "é" * 500]
)
def test_an_order_that_does_not_exist_is_found(till: Till, named: str) -> None:
    client = till.register()
    checkout = paid(opened(client, order_id=named))

    applied = till.take(checkout)

    found = till.rows("select * from fleet.findings where subject = :id", id=checkout.session_id)
    if named:
        assert applied.outcome == Outcome.FOUND
        assert [finding.kind for finding in found] == ["ORDER_UNKNOWN"]
    else:
        assert applied.outcome == Outcome.FOREIGN
        assert not found
    assert till.standing(client) == Standing("PENDING", "PENDING")


@pytest.mark.parametrize("mark", ["user_id", "product_id"])
@pytest.mark.parametrize("value", ["00000000-0000-4000-8000-000000000000", "someone"])
def test_a_session_for_another_person_or_product_is_found(till: Till, mark: str, value: str) -> None:
    client = till.register()

    applied = till.take(paid(opened(client, **{mark: value})))

    assert applied.outcome == Outcome.FOUND
    assert till.standing(client) == Standing("PENDING", "PENDING", findings={"SESSION_OF_ANOTHER_ORDER": 1})
    assert till.findings(client)[0].details[f"{mark}_named"] == value


def test_a_session_that_another_order_bears_is_found(till: Till) -> None:
    client, other = till.register(), till.register()
    checkout = paid(opened(client))
    till.set_order(other, stripe_checkout_session_id=checkout.session_id)

    assert till.take(checkout).outcome == Outcome.FOUND
    assert till.findings(client)[0].details["other_order_id"] == str(other.order_id)
    assert till.standing(client).order == till.standing(other).order == "PENDING"


def test_a_payment_that_another_order_bears_is_found(till: Till) -> None:
    client, other = till.register(), till.register()
    first = paid(opened(other))
    till.take(first)

    stolen = paid(opened(client), payment_id=applied_payment(first))

    assert till.take(stolen).outcome == Outcome.FOUND
    assert till.standing(client) == Standing("PENDING", "PENDING", findings={"SESSION_OF_ANOTHER_ORDER": 1})
    assert till.standing(other) == PAID


@pytest.mark.parametrize("amount", [PRICE - 1, PRICE + 1, 0, 999, 2**40])
def test_another_amount_activates_nothing(till: Till, amount: int) -> None:
    client = till.register()

    applied = till.take(paid(replace(opened(client), amount=amount)))

    assert applied.outcome == Outcome.FOUND
    assert till.standing(client) == Standing("PENDING", "PENDING", findings={"AMOUNT_MISMATCH": 1})
    details = till.findings(client)[0].details
    assert (details["expected"], details["received"]) == (PRICE, amount)
    assert (details["expected_currency"], details["received_currency"]) == ("usd", "usd")


def test_less_money_than_the_session_asks_for_activates_nothing(till: Till) -> None:
    client = till.register()

    assert till.take(paid(opened(client), received=PRICE - 1)).outcome == Outcome.FOUND
    assert till.findings(client)[0].details["received"] == PRICE - 1


@pytest.mark.parametrize(
    ("asked", "came", "settles"),
    [
        ("USD", "usd", True),
        ("usd", "usd", True),
        ("Usd", "usd", True),
        ("USD", "eur", False),
        ("JPY", "usd", False),
    ],
)
def test_currencies_are_the_same_in_any_case(till: Till, asked: str, came: str, *, settles: bool) -> None:
    client = till.register()
    till.set_order(client, currency=asked)

    applied = till.take(paid(replace(opened(client), currency=came)))

    assert applied.outcome == (Outcome.SETTLED if settles else Outcome.FOUND)


@pytest.mark.parametrize(("amount", "settles"), [(15_000, True), (150, False), (1_500_000, False)])
def test_yen_are_whole(till: Till, amount: int, *, settles: bool) -> None:
    client = till.register()
    till.set_order(client, currency="JPY", amount=15_000)

    applied = till.take(paid(replace(opened(client), currency="jpy", amount=amount)))

    assert applied.outcome == (Outcome.SETTLED if settles else Outcome.FOUND)
    assert till.order(client).amount == 15_000


def test_a_corrected_order_is_settled_after_all(till: Till) -> None:
    client = till.register()
    checkout = paid(replace(opened(client), amount=PRICE - 1))
    till.take(checkout)
    till.set_order(client, amount=PRICE - 1)

    assert till.take(checkout, Learned.HAND).outcome == Outcome.SETTLED


def test_nothing_to_pay_settles_what_costs_the_same(till: Till) -> None:
    client = till.register()

    assert till.take(replace(opened(client), payment_status="no_payment_required")).outcome == Outcome.SETTLED
    assert till.standing(client) == PAID
    assert till.order(client).paid_at == NOW


@pytest.mark.parametrize("settled_by", ["fleet", "application", "adopted"])
def test_a_second_payment_is_found_and_names_both(till: Till, settled_by: str) -> None:
    client = till.register()
    first, second = paid(opened(client)), paid(opened(client))
    if settled_by == "fleet":
        till.take(first)
    else:
        till.app.pay(client)
        if settled_by == "application":
            till.set_order(client, stripe_payment_intent_id=applied_payment(first))
        else:
            assert till.take(first).detail == "the application had settled it"
    before = till.standing(client)

    assert till.take(second).outcome == till.take(second).outcome == Outcome.FOUND

    assert till.standing(client) == replace(before, findings={"SECOND_PAYMENT": 1})
    details = till.findings(client)[0].details
    assert details["paid_with"] == applied_payment(first)
    assert details["paid_again_with"] == applied_payment(second)
    assert till.take(first).outcome == Outcome.ALREADY


def test_of_two_payments_either_may_be_given_back(till: Till) -> None:
    client = till.register()
    first, second = paid(opened(client)), paid(opened(client))
    for checkout in (first, second, given_back(first)):
        till.take(checkout)
    assert till.standing(client).order == "PAID"

    assert till.take(given_back(second)).outcome == Outcome.FOUND

    assert (till.standing(client).order, till.standing(client).notices) == ("REFUNDED", 1)
    assert till.findings(client)[0].done == "given back at Stripe"


def test_money_for_a_cancelled_order_is_found(till: Till) -> None:
    client = till.register()
    till.set_order(client, status="CANCELLED")

    assert till.take(paid(opened(client))).outcome == Outcome.FOUND
    assert till.standing(client) == Standing("CANCELLED", "PENDING", findings={"PAID_AFTER_CANCELLATION": 1})


def test_a_failed_order_is_settled_by_a_new_attempt(till: Till) -> None:
    client = till.register()
    till.set_order(client, status="FAILED")

    assert till.take(paid(opened(client))).outcome == Outcome.SETTLED
    assert till.standing(client) == PAID


def test_what_the_application_has_settled_is_only_written_down(till: Till) -> None:
    client = till.register()
    till.app.pay(client)
    before, orders = till.standing(client), till.order(client)

    applied = till.take(paid(opened(client)))

    assert (applied.outcome, applied.detail) == (Outcome.ALREADY, "the application had settled it")
    assert (till.standing(client), till.order(client)) == (before, orders)
    (settlement,) = till.rows("select * from fleet.settlements where order_id = :id", id=client.order_id)
    assert settlement.dossier_id == orders.dossier_id


def test_an_order_paid_without_a_dossier_gets_it(till: Till) -> None:
    client = till.register()
    till.set_order(client, status="PAID")

    assert till.take(paid(opened(client))).outcome == Outcome.SETTLED
    assert till.standing(client) == PAID


def test_what_the_application_has_left_half_done_is_completed(till: Till) -> None:
    client = till.register()
    till.app.pay(client)
    till.set_order(client, dossier_id=None)
    till.change(
        "delete from step_instances where dossier_id in (select id from dossiers where user_id = :id)",
        id=client.user_id,
    )

    assert till.take(paid(opened(client))).outcome == Outcome.SETTLED
    assert till.standing(client) == PAID


def test_a_customer_whom_another_profile_has_stays_there(till: Till) -> None:
    client, other = till.register(), till.register()
    one = paid(opened(other))
    till.take(one)

    assert till.take(replace(paid(opened(client)), customer_id=one.customer_id)).outcome == Outcome.SETTLED
    (profile,) = till.rows("select * from profiles where id = :id", id=client.user_id)
    assert (profile.status, profile.stripe_customer_id) == ("ACTIVE", None)
    assert till.order(client).stripe_customer_id == one.customer_id


def test_a_declined_card_is_told_once_for_each_try(till: Till) -> None:
    client = till.register()
    session = opened(client)

    told = [till.take(declined(session, number)).outcome for number in (1, 1, 2, 1, 2)]

    assert told == [Outcome.FAILED, *[Outcome.ALREADY, Outcome.FAILED], *[Outcome.ALREADY] * 2]
    assert till.standing(client) == Standing("PENDING", "SUSPENDED", events={"PAYMENT_FAILED": 2})
    (event, _) = till.rows("select * from events where entity_id = :id", id=client.order_id)
    assert (event.entity_type, event.actor_type) == ("order", "SYSTEM")
    assert event.payload == {
        "order_id": str(client.order_id),
        "code": "card_declined",
        "payment_intent_id": applied_payment(declined(session)),
    }

    assert till.take(paid(session)).outcome == Outcome.SETTLED
    assert till.standing(client) == replace(PAID, events={**SETTLED_EVENTS, "PAYMENT_FAILED": 2})


def test_a_payment_that_came_too_late_has_failed(till: Till) -> None:
    client = till.register()
    session = replace(declined(opened(client)), status="complete")

    assert till.take(session).outcome == Outcome.FAILED
    assert till.standing(client).profile == "SUSPENDED"


def test_a_failed_second_order_suspends_nobody_who_is_active(till: Till) -> None:
    client = till.register()
    till.take(paid(opened(client)))
    other = till.another_order(client)
    session = opened(other)

    assert till.take(declined(session)).outcome == Outcome.FAILED
    assert till.take(expired(session)).outcome == Outcome.EXPIRED
    assert (till.standing(other).order, till.standing(other).profile) == ("PENDING", "ACTIVE")


@pytest.mark.parametrize(("current", "suspended"), [("this", True), (None, True), ("cs_test_another", False)])
@pytest.mark.parametrize("ends", ["expires", "canceled"])
def test_the_end_of_the_current_session_suspends(
    till: Till, current: str | None, ends: str, *, suspended: bool
) -> None:
    client = till.register()
    session = opened(client)
    if current is not None:
        marks = {"this": session.session_id}
        till.set_order(client, stripe_checkout_session_id=marks.get(current, f"{current}_{uuid4().hex}"))

    over = expired(session) if ends == "expires" else payment(session, status="canceled")

    assert till.take(over).outcome == (Outcome.EXPIRED if suspended else Outcome.WAITING)
    assert till.standing(client) == Standing("PENDING", "SUSPENDED" if suspended else "PENDING")


def test_what_is_still_open_waits(till: Till) -> None:
    client = till.register()
    session = opened(client)
    under_way = replace(payment(session, status="processing"), status="complete")

    assert {till.take(waits).outcome for waits in (session, payment(session), under_way)} == {Outcome.WAITING}
    assert till.standing(client) == Standing("PENDING", "PENDING")


def test_money_given_back_in_part_is_written_down(till: Till) -> None:
    client = till.register()
    session = paid(opened(client))
    till.take(session)

    outcomes = [till.take(given_back(session, amount)).outcome for amount in (1, 100, 50, 100)]

    part = Outcome.PARTLY_REFUNDED
    assert outcomes == [part, part, Outcome.ALREADY, Outcome.ALREADY]
    assert till.standing(client) == replace(PAID, refunded={applied_payment(session): 100})


@pytest.mark.parametrize("settled_before", [True, False])
def test_money_given_back_in_full_refunds_the_order_and_tells(till: Till, *, settled_before: bool) -> None:
    client = till.register()
    session = paid(opened(client))
    if settled_before:
        till.take(session)

    assert till.take(given_back(session)).outcome == Outcome.REFUNDED
    assert till.take(given_back(session)).outcome == Outcome.ALREADY
    assert till.take(session).outcome == Outcome.ALREADY

    back = {applied_payment(session): PRICE}
    assert till.standing(client) == replace(PAID, order="REFUNDED", refunded=back, notices=1)
    (notice,) = till.rows("select * from fleet.notices where order_id = :id", id=client.order_id)
    dossier_id = till.order(client).dossier_id
    assert (notice.notice_key, notice.template_code) == (f"refund:{client.order_id}", "PAYMENT_REFUNDED")
    assert (notice.user_id, notice.dossier_id) == (client.user_id, dossier_id)
    assert notice.action_url == f"/dossiers/{dossier_id}"
    assert notice.payload == {
        "amount": PRICE,
        "currency": "USD",
        "product": "LLC Formation",
        "reference": str(dossier_id)[:8].upper(),
    }


def test_a_status_that_this_release_does_not_know_hurts_nothing(till: Till) -> None:
    till.change("alter type order_status add value if not exists 'ON_HOLD'")
    client = till.register()
    till.set_order(client, status="ON_HOLD")

    assert till.take(opened(client)).outcome == Outcome.WAITING
    assert till.take(paid(opened(client))).outcome == Outcome.FOUND
    assert till.standing(client).order == "ON_HOLD"


def everything(till: Till, client: Any) -> tuple[Any, ...]:
    """All rows but what says when it was seen last."""
    return (
        till.standing(client),
        till.order(client),
        till.rows("select * from dossiers where user_id = :id", id=client.user_id),
        till.rows("select * from fleet.settlements where order_id = :id", id=client.order_id),
        till.rows("select status, refunded from fleet.payments where order_id = :id", id=client.order_id),
    )


def applied_payment(checkout: Any) -> str:
    found: str = checkout.payment.payment_id
    return found
