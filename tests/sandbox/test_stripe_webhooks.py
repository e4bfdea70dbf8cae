"""What Stripe posts, checked by its own SDK; and what goes wrong with it on demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from tests.sandbox.checkouts import begin, stripe_api
from tests.sandbox.one_sandbox import sandbox as plain_sandbox
from tests.sandbox.one_sandbox import shared
from workers.dev.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.checkouts import Begin
    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient

    WaitFor = Callable[..., Any]

__all__ = ["begin", "plain_sandbox", "shared", "stripe_api"]

SECRET = "whsec_sandbox"
PAID = 4


@pytest.fixture
def sandbox(plain_sandbox: SandboxClient, ingress: Ingress) -> SandboxClient:
    plain_sandbox.change(stripe_webhook_url=f"{ingress.base}/webhooks/stripe")
    return plain_sandbox


def heard(ingress: Ingress) -> list[str]:
    return [json.loads(body)["id"] for _, body in ingress.heard]


def missed(api: stripe.StripeClient) -> list[str]:
    return [event.id for event in api.v1.events.list({"delivery_success": False}).data]


def test_events_are_posted_and_signed(
    sandbox: SandboxClient,
    stripe_api: stripe.StripeClient,
    begin: Begin,
    ingress: Ingress,
    wait_for: WaitFor,
) -> None:
    session = sandbox.pay(begin(metadata={"order_id": "o-1"}).id)
    wait_for(lambda: {event.delivery for event in sandbox.stripe_events()} == {"delivered"})
    assert set(ingress.paths) == {"/webhooks/stripe"}
    told = {}
    for headers, body in ingress.heard:
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
        told[event.type] = event
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", headers["stripe-signature"], SECRET)
    assert sorted(told) == sorted(event.type for event in sandbox.stripe_events())
    completed = told["checkout.session.completed"]
    assert completed.data.object.id == session.id
    assert completed.data.object.metadata["order_id"] == "o-1"
    assert (completed.api_version, completed.pending_webhooks) == ("2026-10-28.endive", 1)
    assert stripe_api.v1.events.retrieve(completed.id).pending_webhooks == 0
    assert missed(stripe_api) == []
    assert len(stripe_api.v1.events.list({"delivery_success": True}).data) == PAID


def test_the_secret_may_change(
    sandbox: SandboxClient, begin: Begin, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.change(stripe_webhook_secret="whsec_rotated")
    sandbox.pay(begin().id)
    wait_for(lambda: len(ingress.heard) == PAID)
    headers, body = ingress.heard[0]
    stripe.Webhook.construct_event(body, headers["stripe-signature"], "whsec_rotated")


def test_what_was_refused_is_posted_again(
    sandbox: SandboxClient,
    stripe_api: stripe.StripeClient,
    begin: Begin,
    ingress: Ingress,
    wait_for: WaitFor,
) -> None:
    ingress.answers.extend([500])
    sandbox.expire_session(begin().id)
    wait_for(lambda: [event.delivery for event in sandbox.stripe_events()] == ["delivered"])
    assert sandbox.stripe_events()[0].tries == 2
    assert len(ingress.heard) == 2
    assert missed(stripe_api) == []


def test_what_was_lost_is_found_and_sent_again(
    sandbox: SandboxClient,
    stripe_api: stripe.StripeClient,
    begin: Begin,
    ingress: Ingress,
    wait_for: WaitFor,
) -> None:
    sandbox.stripe_webhooks(lose=2)
    sandbox.pay(begin().id)
    wait_for(lambda: len(ingress.heard) == PAID - 2)
    lost = [event.id for event in sandbox.stripe_events() if event.delivery == "abandoned"]
    assert lost == [event.id for event in sandbox.stripe_events()][:2]
    assert missed(stripe_api) == lost[::-1]
    assert stripe_api.v1.events.retrieve(lost[0]).pending_webhooks == 1
    sandbox.resend_event(lost[0])
    wait_for(lambda: missed(stripe_api) == lost[1:])
    assert lost[0] in heard(ingress)
    with pytest.raises(SandboxError, match="No such event"):
        sandbox.resend_event("evt_unknown")


def test_an_event_comes_twice(
    sandbox: SandboxClient, begin: Begin, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.stripe_webhooks(double=1)
    sandbox.pay(begin().id)
    wait_for(lambda: len(ingress.heard) == PAID + 1)
    first, *others = [event.id for event in sandbox.stripe_events()]
    assert sorted(heard(ingress)) == sorted([first, first, *others])


def test_an_event_comes_late(
    sandbox: SandboxClient, begin: Begin, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.stripe_webhooks(late=1, seconds=0.6)
    sandbox.pay(begin().id)
    wait_for(lambda: len(ingress.heard) == PAID)
    assert heard(ingress)[-1] == sandbox.stripe_events()[0].id


def test_a_share_of_the_events_is_lost(sandbox: SandboxClient, begin: Begin, wait_for: WaitFor) -> None:
    sandbox.stripe_webhooks(lose=0.5, double=1.0)
    for _ in range(10):
        sandbox.pay(begin().id)
    wait_for(lambda: {event.delivery for event in sandbox.stripe_events()} == {"abandoned", "delivered"})
    lost = sum(event.delivery == "abandoned" for event in sandbox.stripe_events())
    assert 10 <= lost <= 30
    wait_for(lambda: {event.tries for event in sandbox.stripe_events()} == {0, 2})


def test_events_wait_while_webhooks_are_held(
    sandbox: SandboxClient,
    stripe_api: stripe.StripeClient,
    begin: Begin,
    ingress: Ingress,
    wait_for: WaitFor,
) -> None:
    sandbox.hold_webhooks()
    sandbox.pay(begin().id)
    assert len(missed(stripe_api)) == PAID
    assert ingress.heard == []
    sandbox.release_webhooks()
    wait_for(lambda: missed(stripe_api) == [])


def test_nobody_need_be_told(sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin) -> None:
    sandbox.change(stripe_webhook_url="")
    session = sandbox.expire_session(begin().id)
    (event,) = sandbox.stripe_events(kind="checkout.session.expired", subject=session.id)
    assert (event.delivery, event.tries) == ("none", 0)
    assert missed(stripe_api) == []
    with pytest.raises(SandboxError, match="no webhook"):
        sandbox.resend_event(event.id)
