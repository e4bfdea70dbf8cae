"""All that Stripe's sandbox keeps: in memory, bounded, oldest first."""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from workers.dev.sandbox.stripe_objects import (
    Charge,
    CheckoutSession,
    Customer,
    Dispute,
    PaymentIntent,
    Refund,
    StripeEvent,
)
from workers.dev.sandbox.stripe_replays import Replays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.dev.sandbox.stripe_objects import StripeObject


class _Kept(Protocol):
    id: str
    created: int


K = TypeVar("K", bound=_Kept)


class Shelf(Generic[K]):
    """The objects of one kind by id; beyond the capacity the oldest goes.

    Args:
        capacity: How many are kept.
        kind: What Stripe calls one of them in an error.
    """

    def __init__(self, capacity: int, kind: str) -> None:
        self.kind: Final = kind
        self._capacity = capacity
        self._kept: OrderedDict[str, K] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[K]:
        return iter(self._kept.values())

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._kept.values())

    def add(self, kept: K) -> None:
        """Keep an object."""
        self._kept[kept.id] = kept
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def get(self, object_id: str) -> K | None:
        """The object of this id, if it is still kept."""
        return self._kept.get(object_id)

    def newest(self, limit: int) -> list[K]:
        """The latest objects, newest first."""
        return list(islice(reversed(self), limit))

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


class StripeStore:
    """The objects by kind, the answers that are repeated, and how often each endpoint was called.

    Args:
        capacity: How many of each kind are kept; of events, four times as many.
    """

    def __init__(self, capacity: int) -> None:
        self.sessions = Shelf[CheckoutSession](capacity, "checkout.session")
        self.intents = Shelf[PaymentIntent](capacity, "payment_intent")
        self.charges = Shelf[Charge](capacity, "charge")
        self.refunds = Shelf[Refund](capacity, "refund")
        self.disputes = Shelf[Dispute](capacity, "dispute")
        self.customers = Shelf[Customer](capacity, "customer")
        self.events = Shelf[StripeEvent](4 * capacity, "event")
        self.replays = Replays(capacity)
        self.calls: Counter[str] = Counter()
        self.version = 0

    def find(self, object_id: str) -> StripeObject | None:
        """The object of any kind of this id, if it is still kept."""
        shelves = (self.sessions, self.intents, self.charges, self.refunds, self.disputes, self.customers)
        found = (shelf.get(object_id) for shelf in shelves)
        return next((each for each in found if each is not None), None)

    def touched(self) -> None:
        """Note that an object has changed, for the pages."""
        self.version += 1

    def clear(self) -> None:
        """Forget all objects, events, answers and counts."""
        for shelf in (self.sessions, self.intents, self.charges, self.refunds, self.disputes, self.customers):
            shelf.clear()
        self.events.clear()
        self.replays.clear()
        self.calls.clear()
        self.touched()
