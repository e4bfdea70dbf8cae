"""Stripe's lists by its own SDK: both ways through the pages, filters, and objects in place of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import stripe
import urllib3

from tests.sandbox.checkouts import begin, stripe_api
from tests.sandbox.one_sandbox import sandbox, shared

if TYPE_CHECKING:
    from tests.sandbox.checkouts import Begin
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

__all__ = ["begin", "sandbox", "shared", "stripe_api"]


@pytest.fixture
def seven(begin: Begin) -> list[str]:
    """Sessions, newest first."""
    return [begin().id for _ in range(7)][::-1]


def test_pages_lead_back_in_time(stripe_api: stripe.StripeClient, seven: list[str]) -> None:
    page = stripe_api.v1.checkout.sessions.list({"limit": 3})
    assert [each.id for each in page.data] == seven[:3]
    assert page.has_more
    page = stripe_api.v1.checkout.sessions.list({"limit": 3, "starting_after": seven[2]})
    assert [each.id for each in page.data] == seven[3:6]
    page = stripe_api.v1.checkout.sessions.list({"limit": 3, "starting_after": seven[5]})
    assert ([each.id for each in page.data], page.has_more) == (seven[6:], False)
    walked = stripe_api.v1.checkout.sessions.list({"limit": 2}).auto_paging_iter()
    assert [each.id for each in walked] == seven


def test_pages_lead_forward_in_time(stripe_api: stripe.StripeClient, seven: list[str]) -> None:
    page = stripe_api.v1.checkout.sessions.list({"limit": 3, "ending_before": seven[6]})
    assert ([each.id for each in page.data], page.has_more) == (seven[3:6], True)
    page = stripe_api.v1.checkout.sessions.list({"limit": 3, "ending_before": seven[3]})
    assert ([each.id for each in page.data], page.has_more) == (seven[:3], False)
    walked = stripe_api.v1.checkout.sessions.list({"limit": 2, "ending_before": seven[6]}).auto_paging_iter()
    assert [each.id for each in walked] == seven[5::-1]


def test_a_page_has_ten_and_at_most_a_hundred(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    for _ in range(3):
        sandbox.pay(begin().id)
    assert len(stripe_api.v1.events.list().data) == 10
    assert len(stripe_api.v1.events.list({"limit": 100}).data) == 12
    for wrong in (0, 101):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            stripe_api.v1.events.list({"limit": wrong})
        assert refused.value.param == "limit"


def test_sessions_are_found_by_payment_customer_status_and_time(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    paid = sandbox.pay(begin(customer_creation="always").id)
    left = begin()
    sandbox.decline(begin().id)

    def found(**asked: Any) -> list[str]:
        return [each.id for each in stripe_api.v1.checkout.sessions.list(asked).data]  # type: ignore[arg-type]

    assert found(payment_intent=paid.payment_intent) == [paid.id]
    assert found(customer=paid.customer) == [paid.id]
    assert found(status="complete") == [paid.id]
    assert found(payment_intent="pi_unknown") == []
    made = left.created
    assert left.id in found(created=made)
    assert found(created={"lt": made - 60}) == found(created={"gt": made + 60}) == []
    assert len(found(created={"gte": made - 60, "lte": made + 60})) == 3


def test_payments_are_found_by_time(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    sandbox.pay(begin().id)
    refused = sandbox.decline(begin().id).payment_intent
    made = begin().created
    page = stripe_api.v1.payment_intents.list(
        {"created": {"gte": made - 60, "lte": made + 60}, "limit": 100, "expand": ["data.latest_charge"]}
    )
    charges = [intent.latest_charge for intent in page.data]
    assert [intent.status for intent in page.data] == ["requires_payment_method", "succeeded"]
    assert [each.status for each in charges if isinstance(each, stripe.Charge)] == ["failed", "succeeded"]
    assert stripe_api.v1.payment_intents.list({"created": {"gt": made + 60}}).data == []
    assert stripe_api.v1.payment_intents.retrieve(page.data[0].id).id == refused


def test_events_are_found_by_type(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    paid = sandbox.pay(begin().id)
    sandbox.decline(begin().id)

    def found(**asked: Any) -> list[str]:
        return [each.type for each in stripe_api.v1.events.list(asked).data]  # type: ignore[arg-type]

    assert found(type="charge.failed") == ["charge.failed"]
    assert found(type="charge.*") == ["charge.failed", "charge.succeeded"]
    wanted = ["checkout.session.completed", "payment_intent.payment_failed"]
    assert found(types=wanted) == wanted[::-1]
    for wrong in ({"types": ["charge.failed"] * 21}, {"type": "charge.failed", "types": wanted}):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            found(**wrong)
        assert refused.value.param == "types"
    (completed,) = stripe_api.v1.events.list({"type": wanted[0]}).data
    event = stripe_api.v1.events.retrieve(completed.id)
    assert (event.api_version, event.pending_webhooks, event.livemode) == ("2026-10-28.endive", 0, False)
    assert (event.data.object["id"], event.data.object["payment_status"]) == (paid.id, "paid")


def test_an_event_shows_its_object_as_it_was(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    session = begin(amount=700)
    sandbox.decline(session.id)
    sandbox.pay(session.id)
    (created,) = stripe_api.v1.events.list({"type": "payment_intent.created"}).data
    (succeeded,) = stripe_api.v1.events.list({"type": "payment_intent.succeeded"}).data
    assert created.data.object["id"] == succeeded.data.object["id"]
    assert (created.data.object["status"], created.data.object["amount_received"]) == (
        "requires_payment_method",
        0,
    )
    assert (succeeded.data.object["status"], succeeded.data.object["amount_received"]) == ("succeeded", 700)


def test_objects_are_shown_in_place_of_ids(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    paid = sandbox.pay(begin(customer_creation="always").id)
    begin()
    expand = ["data.payment_intent.latest_charge", "data.customer"]
    nothing, all_of_it = stripe_api.v1.checkout.sessions.list({"expand": expand}).data
    assert (nothing.payment_intent, nothing.customer) == (None, None)
    assert isinstance(all_of_it.payment_intent, stripe.PaymentIntent)
    assert isinstance(all_of_it.payment_intent.latest_charge, stripe.Charge)
    assert isinstance(all_of_it.customer, stripe.Customer)
    assert all_of_it.customer.id == paid.customer
    half = stripe_api.v1.checkout.sessions.retrieve(paid.id, {"expand": ["payment_intent"]})
    assert isinstance(half.payment_intent, stripe.PaymentIntent)
    assert isinstance(half.payment_intent.latest_charge, str)
    for wrong in ("status", "payment_intent.colour", "data.payment_intent", "a.b.c.d.e"):
        with pytest.raises(stripe.InvalidRequestError, match="expand"):
            stripe_api.v1.checkout.sessions.retrieve(paid.id, {"expand": [wrong]})


def test_a_place_that_is_none_is_refused(stripe_api: stripe.StripeClient, seven: list[str]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        stripe_api.v1.checkout.sessions.list({"starting_after": "cs_test_unknown"})
    assert (unknown.value.param, unknown.value.code) == ("starting_after", "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        stripe_api.v1.checkout.sessions.list({"starting_after": seven[0], "ending_before": seven[1]})


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("colour=red", "colour"),
        ("limit=ten", "limit"),
        ("limit[x]=1", "limit"),
        ("created[since]=1", "created[since]"),
        ("created=x", "created"),
        ("types=charge.failed", "types"),
        ("type=a&type[b]=c", "type"),
        ("types[a]=b", "types"),
        ("expand[]=data.data", "expand[0]"),
        ("delivery_success=maybe", "delivery_success"),
        ("a[b", "a[b"),
    ],
    ids=lambda value: str(value).replace("[", "(").replace("]", ")"),
)
def test_a_malformed_query_is_refused(
    sandbox: SandboxClient, settings: SandboxSettings, query: str, param: str
) -> None:
    answer = urllib3.request(
        "GET",
        f"{sandbox.base_url}/v1/events?{query}",
        headers={"Authorization": f"Bearer {settings.stripe_key}"},
    )
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


def test_brackets_may_be_empty(sandbox: SandboxClient, settings: SandboxSettings, begin: Begin) -> None:
    sandbox.pay(begin().id)
    answer = urllib3.request(
        "GET",
        f"{sandbox.base_url}/v1/events?types[]=charge.succeeded&types[]=payment_intent.created&type=",
        headers={"Authorization": f"Bearer {settings.stripe_key}"},
    )
    assert [event["type"] for event in answer.json()["data"]] == [
        "charge.succeeded",
        "payment_intent.created",
    ]
