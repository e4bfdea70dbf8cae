"""Stripe's objects as its API shows them, with what the adapter looks at and a little more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.providers.adapters import told

if TYPE_CHECKING:
    from tests.providers.stub import Reply

CREATED = 1_795_000_000


def charge(**changed: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 12_000,
        "amount_refunded": 0,
        "currency": "eur",
        "disputed": False,
        "failure_code": None,
        "paid": True,
        "payment_intent": "pi_1",
        "refunded": False,
        "status": "succeeded",
        **changed,
    }


def intent(**changed: Any) -> dict[str, Any]:
    """A payment that was made."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 12_000,
        "amount_received": 12_000,
        "created": CREATED,
        "currency": "eur",
        "customer": "cus_1",
        "last_payment_error": None,
        "latest_charge": charge(),
        "metadata": {"order_id": "made-up"},
        "status": "succeeded",
        **changed,
    }


def unpaid(**changed: Any) -> dict[str, Any]:
    """A payment that waits for a card."""
    waiting = {"status": "requires_payment_method", "amount_received": 0, "latest_charge": None}
    return intent(**{**waiting, **changed})


def session(**changed: Any) -> dict[str, Any]:
    """A Checkout Session that was paid."""
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "amount_total": 12_000,
        "created": CREATED,
        "currency": "eur",
        "customer": "cus_1",
        "customer_details": {"email": "camille.durand@example.com"},
        "expires_at": CREATED + 86_400,
        "metadata": {"order_id": "made-up"},
        "mode": "payment",
        "payment_intent": intent(),
        "payment_status": "paid",
        "status": "complete",
        "url": None,
        **changed,
    }


def dispute(**changed: Any) -> dict[str, Any]:
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 12_000,
        "charge": "ch_1",
        "created": CREATED,
        "currency": "eur",
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **changed,
    }


def refund(**changed: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "charge": "ch_1",
        "created": CREATED,
        "currency": "eur",
        "payment_intent": "pi_1",
        "status": "succeeded",
        **changed,
    }


def event(**changed: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": CREATED,
        "data": {"object": {"id": "cs_test_1", "object": "checkout.session", "url": ""}},
        "type": "checkout.session.completed",
        **changed,
    }


def listed(*items: object, more: bool = False) -> Reply:
    return told(200, {"object": "list", "data": items, "has_more": more, "url": "/v1/made-up"})
