"""What Stripe is asked to make: API version 2026-10-28.endive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

    from providers.payments import NewCheckout

_LONGEST_NAME: Final = 250
"""Characters of a product's name that a payment page takes."""


def session(wanted: NewCheckout) -> SessionCreateParams:
    """The parameters of a Checkout Session on Stripe's own page.

    Its payment bears the same marks, so that a payment alone leads to its order as well.
    """
    marks = dict(wanted.metadata)
    asked: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {
                    "currency": wanted.currency.lower(),
                    "unit_amount": wanted.amount,
                    "product_data": {"name": wanted.product[:_LONGEST_NAME]},
                },
                "quantity": 1,
            }
        ],
        "client_reference_id": wanted.reference,
        "metadata": marks,
        "payment_intent_data": {"metadata": marks},
        "success_url": wanted.success_url,
        "cancel_url": wanted.cancel_url,
        "expires_at": int(wanted.expires_at.timestamp()),
    }
    if wanted.customer_id is not None:
        asked["customer"] = wanted.customer_id
    elif wanted.email is not None:
        asked["customer_email"] = wanted.email
    return asked
