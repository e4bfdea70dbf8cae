"""Stripe's objects have the fields that its own library gives them, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from tests.sandbox.checkouts import begin, stripe_api
from tests.sandbox.one_sandbox import sandbox, shared

if TYPE_CHECKING:
    import stripe

    from tests.sandbox.checkouts import Begin
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["begin", "sandbox", "shared", "stripe_api"]

# Given only where they are asked for, to other accounts, or for ways to pay that the sandbox lacks.
LEFT_OUT = {
    "authorization_code",
    "cash_balance",
    "deleted",
    "invoice_credit_balance",
    "level3",
    "line_items",
    "next_action",
    "payment_details",
    "refunds",
    "sources",
    "subscriptions",
    "tax",
    "tax_ids",
    "transfer",
    "description",
    "failure_balance_transaction",
    "failure_reason",
    "instructions_email",
    "pending_reason",
    "presentment_details",
    "intended_submission_method",
}


def test_objects_have_the_fields_of_the_library(
    sandbox: SandboxClient, stripe_api: stripe.StripeClient, begin: Begin
) -> None:
    api = stripe_api.v1
    opened = begin(customer_creation="always")
    session = sandbox.pay(opened.id)
    intent = session.payment_intent or ""
    sandbox.decline(begin().id)
    refund = api.refunds.create({"payment_intent": intent, "amount": 1})
    dispute = sandbox.dispute(intent)
    objects: list[stripe.StripeObject] = [
        opened,
        api.checkout.sessions.retrieve(session.id),
        *api.payment_intents.list().data,
        *api.charges.list().data,
        refund,
        api.disputes.retrieve(dispute.id),
        api.customers.retrieve(session.customer or ""),
        *api.events.list().data,
    ]
    assert len({type(each) for each in objects}) == 7
    for each in objects:
        fields = {name: kind for name, kind in type(each).__annotations__.items() if name != "OBJECT_NAME"}
        assert set(each.to_dict()) - set(fields) == set(), type(each)
        assert set(fields) - set(each.to_dict()) <= LEFT_OUT, type(each)
        needed = {name for name, kind in fields.items() if type(None) not in get_args(kind)}
        empty = {name for name in needed if each.to_dict()[name] is None}
        assert empty == set(), type(each)


def test_settings_reach_the_api(sandbox: SandboxClient) -> None:
    sandbox.change(stripe_key="sk_test_other", stripe_per_second=25)
    settings = sandbox.settings()
    assert (settings.stripe_key, settings.stripe_per_second) == ("sk_test_other", 25)
    assert settings.stripe_webhook_secret == "whsec_sandbox"
    with pytest.raises(ValueError, match="stripe_webhook_url"):
        sandbox.change(stripe_webhook_url="nowhere")


def test_sessions_are_found_by_what_they_are_for(sandbox: SandboxClient, begin: Begin) -> None:
    first, second = begin(metadata={"order_id": "o-1"}), begin(metadata={"order_id": "o-2"})
    assert [each.id for each in sandbox.stripe_sessions()] == [first.id, second.id]
    (found,) = sandbox.stripe_sessions(mark="o-2")
    assert (found.id, found.url, found.status, found.metadata) == (
        second.id,
        second.url,
        "open",
        {"order_id": "o-2"},
    )
