"""Checkout Sessions, by Stripe's own SDK: made, looked at, closed; and what is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from tests.sandbox.checkouts import begin, stripe_api
from tests.sandbox.one_sandbox import sandbox, shared
from workers.dev.sandbox.stripe_objects import LineItem, Order
from workers.dev.sandbox.stripe_payments import Checkouts
from workers.dev.sandbox.stripe_store import StripeStore

if TYPE_CHECKING:
    from tests.sandbox.checkouts import Begin
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["begin", "sandbox", "shared", "stripe_api"]

MARKS = {"order_id": "o-1", "user_id": "u-1", "product_id": "p-1"}


def test_a_session_is_open_and_unpaid(sandbox: SandboxClient, begin: Begin) -> None:
    before = int(time.time())
    session = begin(
        amount=99_900,
        currency="EUR",
        metadata=MARKS,
        customer_email="marie@example.com",
        client_reference_id="ref-1",
        locale="fr",
    )
    assert str(session.id).startswith("cs_test_")
    assert session.url == f"{sandbox.base_url}/checkout/{session.id}"
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_total, session.amount_subtotal, session.currency) == (99_900, 99_900, "eur")
    assert session.metadata is not None
    assert session.metadata.to_dict() == MARKS
    assert (session.payment_intent, session.customer) == (None, None)
    assert (session.customer_email, session.client_reference_id) == ("marie@example.com", "ref-1")
    assert session.created >= before
    assert session.expires_at - session.created == 24 * 3600
    assert session.last_response is not None
    assert str(session.last_response.request_id).startswith("req_")


def test_a_session_adds_its_lines_up(begin: Begin) -> None:
    price = {"currency": "jpy", "unit_amount": 1_500, "product_data": {"name": "Dossier"}}
    session = begin(line_items=[{"price_data": price, "quantity": count} for count in (1, 2)], currency="jpy")
    assert (session.amount_total, session.currency) == (4_500, "jpy")


def test_a_session_is_found_again(stripe_api: stripe.StripeClient, begin: Begin) -> None:
    session = begin(metadata=MARKS)
    found = stripe_api.v1.checkout.sessions.retrieve(session.id)
    assert found.to_dict() == session.to_dict()
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        stripe_api.v1.checkout.sessions.retrieve("cs_test_unknown")
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")


def test_a_session_is_closed_on_request(stripe_api: stripe.StripeClient, begin: Begin) -> None:
    session = begin()
    closed = stripe_api.v1.checkout.sessions.expire(session.id)
    assert (closed.status, closed.url, closed.payment_status) == ("expired", None, "unpaid")
    with pytest.raises(stripe.InvalidRequestError, match="status of expired") as again:
        stripe_api.v1.checkout.sessions.expire(session.id)
    assert again.value.http_status == 400
    types = [event.type for event in stripe_api.v1.events.list().data]
    assert types == ["checkout.session.expired"]


def test_a_session_closes_by_itself() -> None:
    told: list[str] = []
    now = 1_800_000_000.0
    store = StripeStore(10)
    checkouts = Checkouts(store, lambda kind, *_: told.append(kind), lambda: now)
    order = Order(
        line_items=(LineItem("Dossier", 100, 1),),
        currency="eur",
        success_url="https://example.com",
        cancel_url=None,
        expires_at=int(now) + 1800,
        metadata={},
        payment_metadata={},
    )
    paid, tried, left = (checkouts.begin(order, "http://127.0.0.1") for _ in range(3))
    checkouts.pay(paid.id)
    checkouts.decline(tried.id)
    told.clear()
    now += 1799
    assert checkouts.session(left.id).status == "open"
    now += 1
    assert checkouts.session(left.id).status == "expired"
    assert (paid.status, tried.status) == ("complete", "expired")
    assert told == ["checkout.session.expired", "payment_intent.canceled", "checkout.session.expired"]
    intent = store.intents.get(tried.payment_intent or "")
    assert intent is not None
    assert (intent.status, intent.canceled_at) == ("canceled", int(now))


def items(**changed: Any) -> list[dict[str, Any]]:
    price = {"currency": "eur", "unit_amount": 100, "product_data": {"name": "Dossier"}} | changed
    return [{"price_data": price, "quantity": 1}]


@pytest.mark.parametrize(
    ("changed", "param", "code"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types", "parameter_unknown"),
        ({"line_items": items(colour="red")}, "line_items[0][price_data][colour]", "parameter_unknown"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items[0][price]", "resource_missing"),
        (
            {"line_items": items(unit_amount=-1)},
            "line_items[0][price_data][unit_amount]",
            "parameter_invalid_integer",
        ),
        (
            {"line_items": items(unit_amount="1.5")},
            "line_items[0][price_data][unit_amount]",
            "parameter_invalid_integer",
        ),
        ({"line_items": items(unit_amount=100_000_000)}, "line_items", "amount_too_large"),
        ({"line_items": items(currency="euro")}, "line_items[0][price_data][currency]", None),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]", "parameter_missing"),
        ({"line_items": ""}, "line_items", "parameter_missing"),
        ({"line_items": [*items(), *items(currency="usd")]}, "line_items", None),
        ({"mode": "gift"}, "mode", None),
        ({"mode": "subscription"}, "mode", None),
        ({"ui_mode": "elements"}, "ui_mode", None),
        ({"success_url": ""}, "success_url", "parameter_missing"),
        ({"cancel_url": "example.com"}, "cancel_url", "url_invalid"),
        ({"customer": "cus_unknown"}, "customer", "resource_missing"),
        ({"customer_email": "marie"}, "customer_email", "email_invalid"),
        ({"customer": "cus_1", "customer_email": "marie@example.com"}, "customer_email", None),
        ({"metadata": {"k" * 41: "v"}}, "metadata", None),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
        ({"metadata": {f"k{index}": "v" for index in range(51)}}, "metadata", None),
        ({"metadata": "none"}, "metadata", None),
        ({"expand": ["colour"]}, "expand[0]", None),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_a_malformed_session_is_refused(
    begin: Begin, changed: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        begin(**changed)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)


@pytest.mark.parametrize(("seconds", "fits"), [(1790, False), (1810, True), (86_390, True), (86_410, False)])
def test_a_session_lives_half_an_hour_to_a_day(begin: Begin, *, seconds: int, fits: bool) -> None:
    expires_at = int(time.time()) + seconds
    if fits:
        assert begin(expires_at=expires_at).expires_at == expires_at
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        begin(expires_at=expires_at)
    assert refused.value.param == "expires_at"
