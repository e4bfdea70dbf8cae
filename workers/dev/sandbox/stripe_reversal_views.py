"""Charges, and what takes them back, as Stripe's API shows them.

Source: the types of Stripe's Python library 16.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workers.dev.sandbox.stripe_objects import Charge, Dispute, Refund

_NO_ADDRESS: Final = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_CHARGE_HAS_NO: Final = dict.fromkeys(
    (
        *("application", "application_fee", "application_fee_amount", "balance_transaction", "description"),
        *("failure_balance_transaction", "on_behalf_of", "presentment_details", "receipt_email"),
        *("receipt_number", "review", "shipping", "source", "source_transfer", "statement_descriptor"),
        *("statement_descriptor_suffix", "transfer_data", "transfer_group"),
    )
)


def charge(kept: Charge) -> dict[str, Any]:
    """A charge."""
    failed, paid = kept.status == "failed", kept.status == "succeeded"
    return _CHARGE_HAS_NO | {
        "id": kept.id,
        "object": "charge",
        "amount": kept.amount,
        "amount_captured": kept.amount if paid else 0,
        "amount_refunded": kept.amount_refunded,
        "billing_details": {
            "address": _NO_ADDRESS,
            "email": kept.email,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "SANDBOX",
        "captured": paid,
        "created": kept.created,
        "currency": kept.currency,
        "customer": kept.customer,
        "disputed": kept.disputed,
        "failure_code": kept.failure.code if kept.failure else None,
        "failure_message": kept.failure.message if kept.failure else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(kept.metadata),
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": kept.failure.decline_code if kept.failure else None,
            "risk_level": "normal",
            "seller_message": kept.failure.message if kept.failure else "Payment complete.",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": paid,
        "payment_intent": kept.payment_intent,
        "payment_method": f"pm_{kept.id.removeprefix('ch_')}",
        "payment_method_details": {"type": kept.method, kept.method: {"last4": "4242"}},
        "radar_options": {},
        "receipt_url": None,
        "refunded": kept.amount_refunded == kept.amount,
        "status": kept.status,
    }


def refund(kept: Refund) -> dict[str, Any]:
    """A refund."""
    return {
        "id": kept.id,
        "object": "refund",
        "amount": kept.amount,
        "balance_transaction": None,
        "charge": kept.charge,
        "created": kept.created,
        "currency": kept.currency,
        "customer": None,
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": dict(kept.metadata),
        "payment_intent": kept.payment_intent,
        "payment_method": None,
        "reason": kept.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": kept.status,
        "transfer_reversal": None,
    }


def dispute(kept: Dispute) -> dict[str, Any]:
    """A dispute."""
    is_open = kept.status == "needs_response"
    return {
        "id": kept.id,
        "object": "dispute",
        "amount": kept.amount,
        "balance_transactions": [],
        "charge": kept.charge,
        "created": kept.created,
        "currency": kept.currency,
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": kept.due_by if is_open else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": kept.payment_intent,
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
        },
        "reason": kept.reason,
        "status": kept.status,
    }
