"""Keys, counts, repeats and faults of Stripe's API, by its own SDK."""

from __future__ import annotations

import base64
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

KEY: Any = {"idempotency_key": "key-1"}
LONG_KEY: Any = {"idempotency_key": "k" * 256}


@pytest.fixture
def order(sandbox: SandboxClient, begin: Begin) -> Any:
    """A payment to give back a part of, as a request for it."""
    paid = sandbox.pay(begin(amount=1_000).id)
    return {"payment_intent": paid.payment_intent, "amount": 100}


def but(order: Any, changed: dict[str, Any]) -> Any:
    return {**order, **changed}


def headers_of(answered: stripe.StripeObject) -> dict[str, str]:
    assert answered.last_response is not None
    return {name.lower(): value for name, value in answered.last_response.headers.items()}


def refunds(sandbox: SandboxClient) -> int:
    return len(sandbox.stripe_events(kind="refund.created"))


def test_another_key_opens_nothing(sandbox: SandboxClient, stripe_api: stripe.StripeClient) -> None:
    sandbox.change(stripe_key="sk_test_rotated")
    with pytest.raises(stripe.AuthenticationError, match=r"\*\*\*dbox") as refused:
        stripe_api.v1.events.list()
    assert refused.value.http_status == 401
    assert refused.value.request_id is not None
    for header in ("", "Bearer ", "Basic ???", "Digest x"):
        answer = urllib3.request("GET", f"{sandbox.base_url}/v1/events", headers={"Authorization": header})
        assert (answer.status, answer.json()["error"]["type"]) == (401, "invalid_request_error")
    pair = base64.b64encode(b"sk_test_rotated:").decode()
    answer = urllib3.request(
        "GET", f"{sandbox.base_url}/v1/events", headers={"Authorization": f"Basic {pair}"}
    )
    assert answer.json() == {"object": "list", "data": [], "has_more": False, "url": "/v1/events"}


def test_calls_are_counted_by_endpoint(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    session = begin()
    for _ in range(2):
        stripe_api.v1.checkout.sessions.retrieve(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        stripe_api.v1.payment_intents.retrieve("pi_unknown")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as unknown:
        stripe_api.v1.payment_intents.cancel("pi_unknown")
    assert unknown.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        stripe_api.v1.customers.delete("cus_unknown")
    assert sandbox.stripe_calls() == {
        "POST /v1/checkout/sessions": 1,
        "GET /v1/checkout/sessions/{id}": 2,
        "GET /v1/payment_intents/{id}": 1,
        "POST /v1/?": 1,
        "DELETE /v1/customers/{id}": 1,
    }
    sandbox.clear_stripe()
    assert sandbox.stripe_calls() == {}
    assert sandbox.stripe_sessions() == []


def test_requests_may_come_too_fast(sandbox: SandboxClient, stripe_api: stripe.StripeClient) -> None:
    sandbox.change(stripe_per_second=2)

    def hurry() -> None:
        for _ in range(50):
            stripe_api.v1.events.list()

    with pytest.raises(stripe.RateLimitError) as limited:
        hurry()
    assert limited.value.http_status == 429
    body: Any = limited.value.json_body
    assert body["error"]["code"] == "rate_limit"


def test_a_request_that_comes_again_is_not_done_again(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, order: Any
) -> None:
    reordered: Any = dict(reversed(order.items()))
    first = stripe_api.v1.refunds.create(order, KEY)
    again = stripe_api.v1.refunds.create(reordered, KEY)
    assert again.to_dict() == first.to_dict()
    assert "idempotent-replayed" not in headers_of(first)
    assert headers_of(again)["idempotent-replayed"] == "true"
    assert headers_of(again)["original-request"] == headers_of(first)["request-id"]
    assert refunds(sandbox) == 1
    other = stripe_api.v1.refunds.create(order, {"idempotency_key": "key-2"})
    assert other.id != first.id
    assert refunds(sandbox) == 2


def test_a_key_stands_for_one_request(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, order: Any, begin: Begin
) -> None:
    dearer = but(order, {"amount": 200})
    stripe_api.v1.refunds.create(order, KEY)
    for another in (
        lambda: stripe_api.v1.refunds.create(dearer, KEY),
        lambda: stripe_api.v1.checkout.sessions.expire(str(begin().id), {}, KEY),
        lambda: stripe_api.v1.refunds.create(order, LONG_KEY),
    ):
        with pytest.raises(stripe.IdempotencyError) as refused:
            another()
        assert refused.value.http_status == 400
    assert refunds(sandbox) == 1


def test_what_was_refused_may_come_again_better(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, order: Any
) -> None:
    for wrong in ({"amount": 0}, {"amount": 1_001}, {"expand": ["colour"]}, {"charge": "ch_1"}):
        with pytest.raises(stripe.InvalidRequestError):
            stripe_api.v1.refunds.create(but(order, wrong), KEY)
    assert stripe_api.v1.refunds.create(order, KEY).amount == 100
    assert refunds(sandbox) == 1


def test_an_answer_that_was_lost_is_repeated(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, order: Any
) -> None:
    sandbox.fault("drop_after", to="/v1/refunds")
    with pytest.raises(stripe.APIConnectionError):
        stripe_api.v1.refunds.create(order, KEY)
    assert refunds(sandbox) == 1
    again = stripe_api.v1.refunds.create(order, KEY)
    assert headers_of(again)["idempotent-replayed"] == "true"
    assert refunds(sandbox) == 1


def test_a_breakdown_is_repeated_too_until_the_key_changes(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, order: Any
) -> None:
    sandbox.fault("status", status=500)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as broken:
            stripe_api.v1.refunds.create(order, KEY)
        assert broken.value.http_status == 500
    assert refunds(sandbox) == 0
    stripe_api.v1.refunds.create(order, {"idempotency_key": "key-2"})
    assert refunds(sandbox) == 1


def test_faults_strike_where_they_are_aimed(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    begin()
    sandbox.fault("status", status=429, retry_after=7, request="look", to="/v1/events")
    stripe_api.v1.checkout.sessions.list()
    with pytest.raises(stripe.RateLimitError) as limited:
        stripe_api.v1.events.list()
    assert (limited.value.headers or {})["retry-after"] == "7"
    stripe_api.v1.events.list()
    for kind in ("drop_before", "truncate", "garbage"):
        sandbox.fault(kind, request="look")
        with pytest.raises(stripe.APIConnectionError):
            stripe_api.v1.events.list()
    stripe_api.v1.events.list()


def test_a_body_has_its_limit(sandbox: SandboxClient, settings: SandboxSettings) -> None:
    answer = urllib3.request(
        "POST",
        f"{sandbox.base_url}/v1/refunds",
        body=b"a=" + b"b" * 300_000,
        headers={"Authorization": f"Bearer {settings.stripe_key}"},
    )
    assert answer.status == 413
