"""What the fleet's own adapter makes of the sandbox's Stripe: two readings of one API, which must agree."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from providers.errors import Misconfigured, RateLimited, Rejected
from providers.payments import Window
from providers.signatures_stripe import StripeSignatures
from providers.stripe import StripePayments
from providers.transport import PooledTransport
from tests.sandbox.checkouts import begin, stripe_api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from providers.payments import Checkout
    from tests.sandbox.checkouts import Begin
    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

__all__ = ["begin", "stripe_api"]  # fixtures

TYPES = ["checkout.session.completed", "payment_intent.payment_failed", "charge.refunded"]


@pytest.fixture
def settings(settings: SandboxSettings, ingress: Ingress) -> SandboxSettings:
    return replace(settings, stripe_webhook_url=f"{ingress.base}/webhooks/stripe")


@pytest.fixture
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def payments(sandbox: SandboxClient, settings: SandboxSettings, transport: PooledTransport) -> StripePayments:
    return StripePayments(settings.stripe_key, sandbox.base_url, transport, lambda: None)


def window() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=1), now + timedelta(seconds=5))


def test_a_life(payments: StripePayments, sandbox: SandboxClient, begin: Begin) -> None:
    session_id = begin(amount=5_000, currency="jpy", metadata={"order_id": "made-up"}).id

    def found() -> Checkout:
        checkout = payments.checkout(session_id)
        assert checkout
        return checkout

    opened = found()
    assert (opened.status, opened.payment_status, opened.payment) == ("open", "unpaid", None)
    assert (opened.amount, opened.currency, opened.metadata) == (5_000, "jpy", {"order_id": "made-up"})
    keys = set()
    for code in ("card_declined", "expired_card"):
        sandbox.decline(session_id, code)
        declined = found().payment
        assert declined
        assert (declined.status, declined.failure_code) == ("requires_payment_method", code)
        keys.add(declined.failure_key)
    assert len(keys) == 2, "each try has its own"

    sandbox.pay(session_id)
    paid = found()
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.payment
    assert (paid.payment.status, paid.payment.received, paid.payment.failure_key) == (
        "succeeded",
        5_000,
        None,
    )
    payment_id = paid.payment.payment_id
    assert (payments.checkout_of(payment_id), payments.payment(payment_id)) == (paid, paid.payment)

    sandbox.refund(payment_id, 100)
    dispute_id = sandbox.dispute(payment_id).id
    after = payments.payment(payment_id)
    assert after == replace(paid.payment, refunded=100, disputed=True)
    sandbox.close_dispute(dispute_id, won=False)
    dispute = payments.dispute(dispute_id)
    assert dispute
    assert (dispute.status, dispute.payment_id) == ("lost", payment_id)
    assert [refund.amount for refund in payments.refunds(window(), None).items] == [100]


def test_a_debit_that_bounces(payments: StripePayments, sandbox: SandboxClient, begin: Begin) -> None:
    session_id = begin().id
    sandbox.pay_later(session_id)
    under_way = payments.checkout(session_id)
    assert under_way
    assert under_way.payment
    assert (under_way.payment_status, under_way.payment.status) == ("unpaid", "processing")
    sandbox.finish_async(session_id, succeeded=False)
    bounced = payments.checkout(session_id)
    assert bounced
    assert bounced.payment
    assert (bounced.status, bounced.payment_status) == ("complete", "unpaid")
    assert bounced.payment.failure_key == bounced.payment.charge_id


def test_a_webhook_and_the_list_tell_the_same(
    payments: StripePayments,
    sandbox: SandboxClient,
    settings: SandboxSettings,
    ingress: Ingress,
    begin: Begin,
    wait_for: Callable[..., object],
) -> None:
    sandbox.stripe_webhooks(lose=1.0)
    session_id = begin().id
    sandbox.decline(session_id)
    sandbox.stripe_webhooks()
    sandbox.pay(session_id)
    wait_for(lambda: any(b'"checkout.session.completed"' in body for _, body in ingress.heard))
    listed = {event.event_id: event.body for event in payments.events(window(), TYPES, None).items}
    (missed,) = payments.events(window(), TYPES, None, undelivered=True).items
    assert missed.body["type"] == "payment_intent.payment_failed"
    told = {}
    for headers, body in ingress.heard:
        StripeSignatures([settings.stripe_webhook_secret]).verify(body, headers["stripe-signature"])
        event = json.loads(body)
        told[event["id"]] = event
    common = told.keys() & listed.keys()
    assert common
    assert missed.event_id not in told
    assert all(told[key]["data"] == listed[key]["data"] for key in common)


def test_refusals(
    payments: StripePayments, sandbox: SandboxClient, settings: SandboxSettings, transport: PooledTransport
) -> None:
    assert payments.checkout("cs_test_made_up") is None
    assert payments.checkout_of("pi_made_up") is None
    assert payments.payment("pi_made_up") is None
    assert payments.dispute("du_made_up") is None
    with pytest.raises(Misconfigured, match="http_401"):
        StripePayments(f"{settings.stripe_key}x", sandbox.base_url, transport, lambda: None).payment("pi_1")
    with pytest.raises(Rejected, match="resource_missing"):
        payments.payments(window(), "pi_made_up")
    sandbox.change(stripe_per_second=1)
    with pytest.raises(RateLimited, match="rate_limit"):
        [payments.payment("pi_made_up") for _ in range(3)]
