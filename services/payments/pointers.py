"""What an event of Stripe's points to: its id is all that is taken from it, and Stripe is asked for the rest.

Source: Stripe, "Types of events". A charge is led back to its payment, which Stripe's list of sessions knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from db.queries.stripe_inbox import EventRow, Known


class Thing(StrEnum):
    """What Stripe is asked for."""

    CHECKOUT = "CHECKOUT"
    PAYMENT = "PAYMENT"
    DISPUTE = "DISPUTE"


POINTS_TO: Final[Mapping[str, Thing]] = {
    "checkout.session.completed": Thing.CHECKOUT,
    "checkout.session.async_payment_succeeded": Thing.CHECKOUT,
    "checkout.session.async_payment_failed": Thing.CHECKOUT,
    "checkout.session.expired": Thing.CHECKOUT,
    "payment_intent.succeeded": Thing.PAYMENT,
    "payment_intent.payment_failed": Thing.PAYMENT,
    "payment_intent.canceled": Thing.PAYMENT,
    "charge.refunded": Thing.PAYMENT,
    "charge.dispute.created": Thing.DISPUTE,
    "charge.dispute.closed": Thing.DISPUTE,
}
"""The events that are handled; all others are stored and passed over. Stripe lists up to 20 types at once."""

_REFUNDED: Final = "charge.refunded"
HANDLED_TYPES: Final = tuple(POINTS_TO)

_IDS: Final = {
    Thing.CHECKOUT: re.compile(r"cs_[A-Za-z0-9_]{1,252}"),
    Thing.PAYMENT: re.compile(r"pi_[A-Za-z0-9_]{1,252}"),
    Thing.DISPUTE: re.compile(r"(?:dp|du)_[A-Za-z0-9_]{1,252}"),
}

_AMOUNT: Final = re.compile(r"[0-9]{1,15}")


class MalformedEventError(Exception):
    """A handled event that names nothing to ask for; the text is for people and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """One thing to ask Stripe for."""

    thing: Thing
    id: str


def pointer(event: EventRow) -> Pointer | None:
    """What an event points to; None where it is none of the handled ones, or a charge without a payment.

    Raises:
        MalformedEventError: It has no such id.
    """
    thing = POINTS_TO.get(event.event_type or "")
    if thing is None:
        return None
    charge = event.event_type == _REFUNDED
    found = event.payment_id if charge else event.object_id
    if charge and found is None and event.object_id is not None:
        return None
    if found is None or not _IDS[thing].fullmatch(found):
        field = "payment_intent" if charge else "id"
        raise MalformedEventError(f"{event.event_type}: data.object.{field} is no id of a {thing.lower()}")
    return Pointer(thing, found)


def is_news(event: EventRow, found: Pointer, known: Known) -> bool:
    """Whether Stripe has to be asked: not for what can't be taken back and is known.

    Nothing undoes a payment that has settled an order but refunds and disputes, and of refunds the sum is
    known.
    """
    if found.thing is Thing.DISPUTE:
        return True
    if event.event_type == _REFUNDED:
        told = event.refunded or ""
        return not _AMOUNT.fullmatch(told) or int(told) > known.refunded.get(found.id, -1)
    return found.id not in known.settled


def together(pointed: Iterable[tuple[EventRow, Pointer]]) -> dict[Pointer, list[EventRow]]:
    """Put the events that one question answers under it.

    A session is asked for together with its payment. So where an event of a session names the payment, the
    payment's own events need no question of theirs.
    """
    pairs = list(pointed)
    sessions = {
        Pointer(Thing.PAYMENT, event.payment_id): found
        for event, found in pairs
        if found.thing is Thing.CHECKOUT and event.payment_id is not None
    }
    questions: dict[Pointer, list[EventRow]] = {}
    for event, found in pairs:
        questions.setdefault(sessions.get(found, found), []).append(event)
    return questions
