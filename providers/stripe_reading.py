"""Stripe's objects, read: API version 2026-10-28.endive.

All read plain JSON and raise ``TypeError``, ``AttributeError``, ``LookupError`` or ``OverflowError`` where it
makes no sense: what was guessed here would open rights that nobody paid for, or close those of who did.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from providers.payments import Checkout, Dispute, Page, Payment, PaymentEvent, Refund

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def checkout(found: Mapping[str, Any]) -> Checkout:
    """Read a Checkout Session whose ``payment_intent.latest_charge`` is expanded."""
    paid_by = found["payment_intent"]
    return Checkout(
        session_id=_text(found, "id"),
        status=_text(found, "status"),
        payment_status=_text(found, "payment_status"),
        amount=_maybe(_amount, found, "amount_total"),
        currency=_maybe(_currency, found, "currency"),
        created_at=_moment(found, "created"),
        expires_at=_moment(found, "expires_at"),
        url=_maybe(_text, found, "url"),
        customer_id=_reference(found, "customer"),
        metadata=_metadata(found),
        payment=None if paid_by is None else payment(paid_by),
    )


def payment(found: Mapping[str, Any]) -> Payment:
    """Read a payment intent whose ``latest_charge`` is expanded."""
    payment_id = _text(found, "id")
    charge = found["latest_charge"]
    code, key = _failure(payment_id, found.get("last_payment_error"), charge)
    return Payment(
        payment_id=payment_id,
        status=_text(found, "status"),
        amount=_amount(found, "amount"),
        received=_amount(found, "amount_received"),
        currency=_currency(found, "currency"),
        created_at=_moment(found, "created"),
        charge_id=None if charge is None else _text(charge, "id"),
        refunded=0 if charge is None else _amount(charge, "amount_refunded"),
        disputed=charge is not None and _flag(charge, "disputed"),
        customer_id=_reference(found, "customer"),
        metadata=_metadata(found),
        failure_code=code,
        failure_key=key,
    )


def dispute(found: Mapping[str, Any]) -> Dispute:
    """Read a dispute."""
    return Dispute(
        dispute_id=_text(found, "id"),
        status=_text(found, "status"),
        reason=_text(found, "reason"),
        amount=_amount(found, "amount"),
        currency=_currency(found, "currency"),
        payment_id=_reference(found, "payment_intent"),
    )


def refund(found: Mapping[str, Any]) -> Refund:
    """Read a refund; Stripe may leave its status out, which is ``unknown`` then."""
    return Refund(
        refund_id=_text(found, "id"),
        status=_maybe(_text, found, "status") or "unknown",
        amount=_amount(found, "amount"),
        currency=_currency(found, "currency"),
        payment_id=_reference(found, "payment_intent"),
    )


def event(found: Mapping[str, Any]) -> PaymentEvent:
    """Read an event's id and time; the rest is kept as it is."""
    return PaymentEvent(event_id=_text(found, "id"), created_at=_moment(found, "created"), body=found)


def page(found: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    """Read one page of a list.

    Args:
        found: The list object.
        read: What each of its items is.
    """
    items = found["data"]
    if not isinstance(items, list):
        raise TypeError("data is not a list")
    # A page that is not the last and has nothing on it leads nowhere: it has no last id.
    return Page([read(item) for item in items], _text(items[-1], "id") if _flag(found, "has_more") else None)


def _failure(
    payment_id: str, error: Mapping[str, Any] | None, charge: Mapping[str, Any] | None
) -> tuple[str | None, str | None]:
    """Code and key of the last try, if it failed; a try that never came to a charge has none of its own."""
    if error is not None:
        code = _maybe(_text, error, "code") or _text(error, "type")
        return code, _reference(error, "charge") or f"{payment_id}:{code}"
    if charge is not None and _text(charge, "status") == "failed":
        return _maybe(_text, charge, "failure_code"), _text(charge, "id")
    return None, None


def _maybe(read: Callable[[Mapping[str, Any], str], T], found: Mapping[str, Any], name: str) -> T | None:
    return None if found.get(name) is None else read(found, name)


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is not a text")
    return value


def _flag(found: Mapping[str, Any], name: str) -> bool:
    value = found[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is neither true nor false")
    return value


def _amount(found: Mapping[str, Any], name: str) -> int:
    value = found[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{name} is not a whole number")
    return value


def _moment(found: Mapping[str, Any], name: str) -> datetime:
    return _EPOCH + timedelta(seconds=_amount(found, name))


def _currency(found: Mapping[str, Any], name: str) -> str:
    return _text(found, name).lower()


def _reference(found: Mapping[str, Any], name: str) -> str | None:
    """Read an id, or that of the object that stands in its place."""
    value = found.get(name)
    return _text(value, "id") if isinstance(value, dict) else _maybe(_text, found, name)


def _metadata(found: Mapping[str, Any]) -> dict[str, str]:
    marks = found.get("metadata") or {}
    if not isinstance(marks, dict) or not all(isinstance(value, str) for value in marks.values()):
        raise TypeError("metadata is not texts by names")
    return dict(marks)
