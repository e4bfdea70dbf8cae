"""What Stripe takes for a Checkout Session and what it refuses.

Source: Stripe's API reference ("Create a Checkout Session"), version 2026-10-28, and its error codes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from workers.dev.sandbox.stripe_errors import invalid
from workers.dev.sandbox.stripe_forms import METADATA, Shape, needed, only_one
from workers.dev.sandbox.stripe_objects import LineItem, Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.stripe_store import StripeStore

_SHORTEST, _LONGEST = 30 * 60, 24 * 60 * 60
_LONGEST_NAME, _LONGEST_REFERENCE = 250, 200
_MOST_ITEMS, _LARGEST_AMOUNT = 100, 99_999_999

SESSION: Final[Mapping[str, Shape]] = {
    "cancel_url": str,
    "client_reference_id": str,
    "currency": str,
    "customer": str,
    "customer_creation": frozenset({"always", "if_required"}),
    "customer_email": str,
    "expand": [str],
    "expires_at": int,
    "line_items": [
        {
            "price": str,
            "price_data": {
                "currency": str,
                "product": str,
                "product_data": {"name": str, "description": str, "metadata": METADATA},
                "unit_amount": int,
            },
            "quantity": int,
        }
    ],
    "locale": str,
    "metadata": METADATA,
    "mode": frozenset({"payment", "setup", "subscription"}),
    "payment_intent_data": {"description": str, "metadata": METADATA},
    "success_url": str,
    "ui_mode": frozenset({"elements", "embedded_page", "form", "hosted_page"}),
}

_URL = re.compile(r"https?://[^\s/]+\S*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CURRENCY = re.compile(r"[a-zA-Z]{3}")


def order_of(given: Mapping[str, Any], store: StripeStore, now: int) -> Order:
    """What a session is asked for.

    Args:
        given: As read from the form.
        store: Knows the customers.
        now: Unix time in seconds.

    Raises:
        Refusal: With the first error found.
    """
    _check_words(given, store)
    items = needed(given, "line_items")
    if len(items) > _MOST_ITEMS:
        raise invalid(f"You can have up to {_MOST_ITEMS} line items.", param="line_items")
    priced = [_line_item(item, f"line_items[{index}]") for index, item in enumerate(items)]
    currencies = {currency for _, currency in priced} | {given.get("currency", priced[0][1]).lower()}
    if len(currencies) > 1:
        message = f"All prices must have the session's currency; there are {', '.join(sorted(currencies))}."
        raise invalid(message, param="line_items")
    creation = None if "customer" in given else given.get("customer_creation", "if_required")
    payment = given.get("payment_intent_data", {})
    order = Order(
        line_items=tuple(item for item, _ in priced),
        currency=currencies.pop(),
        success_url=needed(given, "success_url"),
        cancel_url=given.get("cancel_url"),
        expires_at=_expiry(given, now),
        metadata=given.get("metadata", {}),
        payment_metadata=payment.get("metadata", {}),
        payment_description=payment.get("description"),
        customer=given.get("customer"),
        customer_email=given.get("customer_email"),
        customer_creation=creation,
        client_reference_id=given.get("client_reference_id"),
        locale=given.get("locale"),
    )
    if order.amount > _LARGEST_AMOUNT:
        message = f"The Checkout Session's total amount due must be no more than {_LARGEST_AMOUNT}."
        raise invalid(message, code="amount_too_large", param="line_items")
    return order


def _check_words(given: Mapping[str, Any], store: StripeStore) -> None:
    if (mode := needed(given, "mode")) != "payment":
        raise invalid(f"The sandbox knows the mode payment only, not {mode}.", param="mode")
    if (ui_mode := given.get("ui_mode", "hosted_page")) != "hosted_page":
        raise invalid(f"The sandbox knows the ui_mode hosted_page only, not {ui_mode}.", param="ui_mode")
    only_one(given, "customer", "customer_email")
    only_one(given, "customer", "customer_creation")
    for name in ("success_url", "cancel_url"):
        if name in given and not _URL.fullmatch(given[name]):
            raise invalid("Not a valid URL", param=name, code="url_invalid")
    if "customer_email" in given and not _EMAIL.fullmatch(given["customer_email"]):
        email = given["customer_email"]
        raise invalid(f"Invalid email address: {email}", param="customer_email", code="email_invalid")
    if "customer" in given and store.customers.get(given["customer"]) is None:
        message = f"No such customer: '{given['customer']}'"
        raise invalid(message, param="customer", code="resource_missing")
    if len(given.get("client_reference_id", "")) > _LONGEST_REFERENCE:
        message = f"Must be at most {_LONGEST_REFERENCE} characters"
        raise invalid(message, param="client_reference_id")


def _line_item(item: Mapping[str, Any], place: str) -> tuple[LineItem, str]:
    only_one(item, "price", "price_data")
    if "price" in item:
        param = f"{place}[price]"
        raise invalid(f"No such price: '{item['price']}'", param=param, code="resource_missing")
    data, below = needed(item, "price_data", place), f"{place}[price_data]"
    if "product" in data:
        param = f"{below}[product]"
        raise invalid(f"No such product: '{data['product']}'", param=param, code="resource_missing")
    currency = needed(data, "currency", below)
    if not _CURRENCY.fullmatch(currency):
        raise invalid(f"Invalid currency: {currency}", param=f"{below}[currency]")
    name = needed(needed(data, "product_data", below), "name", f"{below}[product_data]")
    if len(name) > _LONGEST_NAME:
        raise invalid(f"Must be at most {_LONGEST_NAME} characters", param=f"{below}[product_data][name]")
    amount, quantity = needed(data, "unit_amount", below), needed(item, "quantity", place)
    for number, least, param in ((amount, 0, f"{below}[unit_amount]"), (quantity, 1, f"{place}[quantity]")):
        if number < least:
            message = f"This value must be greater than or equal to {least}."
            raise invalid(message, param=param, code="parameter_invalid_integer")
    return LineItem(name, amount, quantity), currency.lower()


def _expiry(given: Mapping[str, Any], now: int) -> int:
    expires_at: int = given.get("expires_at", now + _LONGEST)
    for fits, bound in (
        (expires_at >= now + _SHORTEST, "at least 30 minutes"),
        (expires_at <= now + _LONGEST, "less than 24 hours"),
    ):
        if not fits:
            message = f"The `expires_at` timestamp must be {bound} from Checkout Session creation."
            raise invalid(message, param="expires_at")
    return expires_at
