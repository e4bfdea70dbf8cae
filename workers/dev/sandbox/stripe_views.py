"""Stripe's objects as its API shows them, references as ids.

Source: the types of Stripe's Python library 16.1, for the API version below.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, Final

from workers.dev.sandbox.stripe_objects import (
    Charge,
    CheckoutSession,
    Customer,
    Dispute,
    PaymentIntent,
    Refund,
)
from workers.dev.sandbox.stripe_reversal_views import charge, dispute, refund

if TYPE_CHECKING:
    from workers.dev.sandbox.stripe_objects import PaymentFailure, StripeEvent, StripeObject

VERSION: Final = "2026-10-28.endive"

_SESSION_HAS_NO: Final = dict.fromkeys(
    (
        *("after_expiration", "allow_promotion_codes", "allowed_payment_method_types"),
        *("billing_address_collection", "branding_settings", "client_secret", "collected_information"),
        *("consent", "consent_collection", "currency_conversion", "customer_account", "discounts"),
        *("excluded_payment_method_types", "integration_identifier", "invoice", "managed_payments"),
        *("name_collection", "optional_items", "origin_context", "payment_link"),
        *("payment_method_configuration_details", "permissions", "presentment_details", "recovered_from"),
        *("redirect_on_completion", "return_url", "saved_payment_method_options", "setup_intent"),
        *("shipping_address_collection", "shipping_cost", "submit_type", "subscription"),
        *("tax_id_collection", "wallet_options"),
    )
)
_INTENT_HAS_NO: Final = dict.fromkeys(
    (
        *("allowed_payment_method_types", "application", "application_fee_amount", "customer_account"),
        *("automatic_payment_methods", "excluded_payment_method_types", "hooks", "managed_payments"),
        *("next_action", "on_behalf_of", "payment_details", "payment_method_configuration_details"),
        *("payment_record", "presentment_details", "processing", "receipt_email", "review"),
        *("setup_future_usage", "shipping", "source", "statement_descriptor", "statement_descriptor_suffix"),
        *("transfer_data", "transfer_group"),
    )
)


def shown(kept: StripeObject) -> dict[str, Any]:
    """An object of any kind as the API shows it."""
    match kept:
        case CheckoutSession():
            return _session(kept)
        case PaymentIntent():
            return _intent(kept)
        case Charge():
            return charge(kept)
        case Refund():
            return refund(kept)
        case Dispute():
            return dispute(kept)
        case Customer():
            return _customer(kept)


def pack(data: dict[str, Any]) -> bytes:
    """What an event is about, compressed: a full store of events is else gigabytes."""
    return zlib.compress(json.dumps(data).encode(), 1)


def event(kept: StripeEvent) -> dict[str, Any]:
    """An event, with the object as it was then."""
    return {
        "id": kept.id,
        "object": "event",
        "account": None,
        "api_version": VERSION,
        "context": None,
        "created": kept.created,
        "data": json.loads(zlib.decompress(kept.packed)),
        "livemode": False,
        "pending_webhooks": int(kept.undelivered),
        "request": {"id": None, "idempotency_key": None},
        "type": kept.type,
    }


def _session(kept: CheckoutSession) -> dict[str, Any]:
    order = kept.order
    return _SESSION_HAS_NO | {
        "id": kept.id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": order.amount,
        "amount_total": order.amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": order.cancel_url,
        "client_reference_id": order.client_reference_id,
        "created": kept.created,
        "currency": order.currency,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer": kept.customer,
        "customer_creation": order.customer_creation,
        "customer_details": _details(kept),
        "customer_email": order.customer_email,
        "expires_at": order.expires_at,
        "invoice_creation": {"enabled": False, "invoice_data": {"metadata": {}}},
        "livemode": False,
        "locale": order.locale,
        "metadata": dict(order.metadata),
        "mode": "payment",
        "payment_intent": kept.payment_intent,
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": kept.payment_status,
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": kept.status,
        "success_url": order.success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": kept.url,
    }


def _details(kept: CheckoutSession) -> dict[str, Any] | None:
    email = kept.email or kept.order.customer_email
    if email is None:
        return None
    empty = ("address", "business_name", "individual_name", "name", "phone", "tax_ids")
    return dict.fromkeys(empty) | {"email": email, "tax_exempt": "none"}


def _intent(kept: PaymentIntent) -> dict[str, Any]:
    return _INTENT_HAS_NO | {
        "id": kept.id,
        "object": "payment_intent",
        "amount": kept.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": kept.amount_received,
        "canceled_at": kept.canceled_at,
        "cancellation_reason": kept.cancellation_reason,
        "capture_method": "automatic_async",
        "client_secret": f"{kept.id}_secret_sandbox",
        "confirmation_method": "automatic",
        "created": kept.created,
        "currency": kept.currency,
        "customer": kept.customer,
        "description": kept.description,
        "last_payment_error": None if kept.failure is None else _error(kept.failure, kept.method),
        "latest_charge": kept.latest_charge,
        "livemode": False,
        "metadata": dict(kept.metadata),
        "payment_method": None if kept.failure else f"pm_{kept.id.removeprefix('pi_')}",
        "payment_method_options": {},
        "payment_method_types": ["card", "sepa_debit"],
        "status": kept.status,
    }


def _error(failure: PaymentFailure, method: str) -> dict[str, Any]:
    return {
        "advice_code": None,
        "charge": failure.charge,
        "code": failure.code,
        "decline_code": failure.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{failure.code.replace('_', '-')}",
        "message": failure.message,
        "network_advice_code": None,
        "network_decline_code": None,
        "payment_method": {
            "id": f"pm_{failure.charge.removeprefix('ch_')}",
            "object": "payment_method",
            "type": method,
        },
        "type": "card_error",
    }


def _customer(kept: Customer) -> dict[str, Any]:
    empty = (
        *("address", "business_name", "currency", "customer_account", "default_source", "description"),
        *("discount", "individual_name", "name", "phone", "shipping", "test_clock"),
    )
    return dict.fromkeys(empty) | {
        "id": kept.id,
        "object": "customer",
        "balance": 0,
        "created": kept.created,
        "delinquent": False,
        "email": kept.email,
        "invoice_prefix": kept.id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }
