"""What clients and banks do to a payment, seen by Stripe's own SDK, with the events in their usual order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stripe

from tests.sandbox.checkouts import begin, stripe_api
from tests.sandbox.one_sandbox import sandbox, shared
from workers.dev.sandbox.client import SandboxError

if TYPE_CHECKING:
    from tests.sandbox.checkouts import Begin
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["begin", "sandbox", "shared", "stripe_api"]

MARKS = {"order_id": "o-1"}


def looked_at(api: stripe.StripeClient, session_id: str) -> stripe.checkout.Session:
    expand = ["payment_intent.latest_charge"]
    return api.v1.checkout.sessions.retrieve(session_id, {"expand": expand})


def payment_of(session: stripe.checkout.Session) -> tuple[stripe.PaymentIntent, stripe.Charge]:
    intent = session.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(intent.latest_charge, stripe.Charge)
    return intent, intent.latest_charge


def happened(sandbox: SandboxClient) -> list[str]:
    return [event.type for event in sandbox.stripe_events()]


def test_a_client_pays(sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin) -> None:
    session = begin(
        amount=12_000,
        currency="eur",
        metadata=MARKS,
        payment_intent_data={"metadata": MARKS, "description": "Dossier"},
    )
    assert sandbox.pay(session.id).payment_status == "paid"
    session = looked_at(stripe_api, session.id)
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    intent, charge = payment_of(session)
    assert (intent.status, intent.amount, intent.amount_received) == ("succeeded", 12_000, 12_000)
    assert (intent.metadata.to_dict(), intent.description, intent.currency) == (MARKS, "Dossier", "eur")
    assert (charge.status, charge.paid, charge.captured, charge.refunded) == ("succeeded", True, True, False)
    assert (charge.payment_intent, charge.amount_captured) == (intent.id, 12_000)
    assert (session.customer, session.customer_creation) == (None, "if_required")
    assert session.customer_details is not None
    assert session.customer_details.email == "client@example.com"
    assert happened(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    with pytest.raises(SandboxError, match=r"409 .*is complete"):
        sandbox.pay(session.id)


def test_a_customer_is_made_where_one_is_asked_for(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    first = begin(customer_creation="always", customer_email="marie@example.com")
    customer_id = sandbox.pay(first.id).customer
    assert customer_id is not None
    assert happened(sandbox)[0] == "customer.created"
    customer = stripe_api.v1.customers.retrieve(customer_id)
    assert (customer.id, customer.email) == (customer_id, "marie@example.com")
    second = begin(customer=customer_id)
    assert (second.customer, second.customer_creation) == (customer_id, None)
    paid = sandbox.pay(second.id)
    assert (paid.customer, paid.customer_email) == (customer_id, "marie@example.com")
    found = stripe_api.v1.payment_intents.list({"customer": customer_id})
    assert len(found.data) == 2
    assert found.data[0].id == paid.payment_intent


def test_a_card_is_declined_and_another_pays(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    session = begin(amount=500)
    assert sandbox.decline(session.id).status == "open"
    intent, charge = payment_of(looked_at(stripe_api, session.id))
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, "card_declined")
    error = intent.last_payment_error
    assert error is not None
    assert (error.type, error.code, error.decline_code, error.charge) == (
        "card_error",
        "card_declined",
        "generic_decline",
        charge.id,
    )
    sandbox.decline(session.id, "expired_card")
    again, later_charge = payment_of(looked_at(stripe_api, session.id))
    assert again.id == intent.id
    assert (later_charge.id != charge.id, later_charge.failure_code) == (True, "expired_card")
    sandbox.pay(session.id)
    paid, _ = payment_of(looked_at(stripe_api, session.id))
    assert (paid.id, paid.status, paid.last_payment_error) == (intent.id, "succeeded", None)
    tried = ["charge.failed", "payment_intent.payment_failed"]
    assert happened(sandbox) == [
        "payment_intent.created",
        *tried,
        *tried,
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    charges = stripe_api.v1.charges.list({"payment_intent": intent.id})
    assert [each.status for each in charges.data] == ["succeeded", "failed", "failed"]


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_payment_that_takes_days(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin, *, succeeded: bool
) -> None:
    session = begin()
    sandbox.pay_later(session.id)
    waiting = looked_at(stripe_api, session.id)
    intent, charge = payment_of(waiting)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert (intent.status, charge.status) == ("processing", "pending")
    begun = ["payment_intent.created", "charge.pending", "payment_intent.processing"]
    assert happened(sandbox) == [*begun, "checkout.session.completed"]
    sandbox.finish_async(session.id, succeeded=succeeded)
    ended = looked_at(stripe_api, session.id)
    intent, last = payment_of(ended)
    assert last.id == charge.id
    states = (ended.status, ended.payment_status, intent.status, last.status)
    if succeeded:
        assert states == ("complete", "paid", "succeeded", "succeeded")
        ends = ["charge.succeeded", "payment_intent.succeeded", "checkout.session.async_payment_succeeded"]
    else:
        assert states == ("complete", "unpaid", "requires_payment_method", "failed")
        assert intent.last_payment_error is not None
        ends = ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"]
    assert happened(sandbox)[-3:] == ends
    with pytest.raises(SandboxError, match=r"409"):
        sandbox.finish_async(session.id)


def test_what_costs_nothing_is_not_paid(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    session = begin(amount=0)
    sandbox.pay(session.id)
    done = stripe_api.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status, done.payment_intent) == (
        "complete",
        "no_payment_required",
        None,
    )
    assert happened(sandbox) == ["checkout.session.completed"]


def test_a_closed_session_takes_its_payment_with_it(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    session = begin()
    sandbox.decline(session.id)
    assert sandbox.expire_session(session.id).url is None
    intent, _ = payment_of(looked_at(stripe_api, session.id))
    assert (intent.status, intent.cancellation_reason) == ("canceled", "expired")
    assert happened(sandbox)[-2:] == ["checkout.session.expired", "payment_intent.canceled"]
    with pytest.raises(SandboxError, match=r"409 .*is expired"):
        sandbox.pay(session.id)


def test_money_is_given_back_in_parts(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    paid = sandbox.pay(begin(amount=1_000).id)
    assert paid.payment_intent is not None
    part = stripe_api.v1.refunds.create(
        {"payment_intent": paid.payment_intent, "amount": 300, "metadata": MARKS, "expand": ["charge"]}
    )
    assert (part.status, part.amount, part.payment_intent) == ("succeeded", 300, paid.payment_intent)
    assert isinstance(part.charge, stripe.Charge)
    assert (part.charge.amount_refunded, part.charge.refunded) == (300, False)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as too_much:
        stripe_api.v1.refunds.create({"charge": part.charge.id, "amount": 701})
    assert too_much.value.param == "amount"
    rest = sandbox.refund(paid.payment_intent, reason="requested_by_customer")
    assert (rest.amount, rest.reason) == (700, "requested_by_customer")
    _, charge = payment_of(looked_at(stripe_api, paid.id))
    assert (charge.amount_refunded, charge.refunded, charge.status) == (1_000, True, "succeeded")
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        stripe_api.v1.refunds.create({"charge": charge.id})
    assert nothing_left.value.code == "charge_already_refunded"
    found = stripe_api.v1.refunds.list({"payment_intent": paid.payment_intent})
    assert [refund.id for refund in found.data] == [rest.id, part.id]
    assert stripe_api.v1.refunds.retrieve(part.id).to_dict()["metadata"] == MARKS
    assert happened(sandbox)[-4:] == ["refund.created", "charge.refunded"] * 2
    last = stripe_api.v1.events.list({"type": "charge.refunded"}).data[0]
    assert (last.data.object["id"], last.data.object["amount_refunded"]) == (charge.id, 1_000)
    assert last.to_dict()["data"]["previous_attributes"] == {"amount_refunded": 300, "refunded": False}


@pytest.mark.parametrize("won", [True, False])
def test_a_payment_is_disputed(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin, *, won: bool
) -> None:
    paid = sandbox.pay(begin(amount=1_000).id)
    assert paid.payment_intent is not None
    opened = sandbox.dispute(paid.payment_intent, "product_not_received")
    dispute = stripe_api.v1.disputes.retrieve(opened.id, {"expand": ["payment_intent.latest_charge"]})
    assert (dispute.status, dispute.reason, dispute.amount) == (
        "needs_response",
        "product_not_received",
        1_000,
    )
    assert isinstance(dispute.payment_intent, stripe.PaymentIntent)
    assert isinstance(dispute.payment_intent.latest_charge, stripe.Charge)
    assert dispute.payment_intent.latest_charge.disputed
    sandbox.close_dispute(opened.id, won=won)
    assert stripe_api.v1.disputes.retrieve(opened.id).status == ("won" if won else "lost")
    found = stripe_api.v1.disputes.list({"payment_intent": paid.payment_intent})
    assert [each.id for each in found.data] == [opened.id]
    ends = ["created", "funds_withdrawn", "closed", *(["funds_reinstated"] if won else [])]
    assert happened(sandbox)[4:] == [f"charge.dispute.{end}" for end in ends]
    with pytest.raises(SandboxError, match=r"409 .*closed already"):
        sandbox.close_dispute(opened.id, won=won)
    with pytest.raises(SandboxError, match=r"409 .*already been disputed"):
        sandbox.dispute(opened.payment_intent)


def test_nothing_is_done_to_what_is_not_there(sandbox: SandboxClient, begin: Begin) -> None:
    with pytest.raises(SandboxError, match=r"404 .*No such checkout.session: 'cs_1'"):
        sandbox.pay("cs_1")
    with pytest.raises(SandboxError, match=r"404 .*No such payment_intent: 'pi_1'"):
        sandbox.refund("pi_1")
    declined = sandbox.decline(begin().id).payment_intent
    assert declined is not None
    with pytest.raises(SandboxError, match=r"409 .*does not have a successful charge"):
        sandbox.dispute(declined)
    free = begin(amount=0).id
    for refused in (sandbox.decline, sandbox.pay_later):
        with pytest.raises(SandboxError, match=r"409 .*no money"):
            refused(free)
