"""What Stripe's API can be asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from workers.dev.sandbox.stripe_errors import invalid
from workers.dev.sandbox.stripe_expansion import Expansion
from workers.dev.sandbox.stripe_forms import METADATA, Shape, needed, only_one
from workers.dev.sandbox.stripe_lists import PAGING, page, page_of_events
from workers.dev.sandbox.stripe_reversals import kept
from workers.dev.sandbox.stripe_rules import SESSION, order_of
from workers.dev.sandbox.stripe_views import event, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.dev.sandbox.stripe_payments import Checkouts
    from workers.dev.sandbox.stripe_store import Shelf, StripeStore

_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
_REFUND: Final[Mapping[str, Shape]] = {
    "amount": int,
    "charge": str,
    "expand": [str],
    "metadata": METADATA,
    "payment_intent": str,
    "reason": _REASONS,
}
_ONE: Final[Mapping[str, Shape]] = {"expand": [str]}
_OF_PAYMENT: Final[Mapping[str, Shape]] = {"charge": str, "payment_intent": str}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in: its parameters, the id in its path, and where the sandbox is."""

    given: Mapping[str, Any]
    object_id: str
    base_url: str

    @property
    def expand(self) -> list[str]:
        """What is to be shown in place of its id."""
        paths: list[str] = self.given.get("expand", [])
        return paths


Act: TypeAlias = "Callable[[Call], dict[str, Any]]"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: its method and path, the parameters that it takes, and what it does."""

    method: str
    path: str
    shapes: Mapping[str, Shape]
    act: Act


class Endpoints:
    """All endpoints.

    Args:
        store: Where the objects are.
        checkouts: Changes them.
    """

    def __init__(self, store: StripeStore, checkouts: Checkouts) -> None:
        self._store = store
        self._checkouts = checkouts

    def all(self) -> list[Endpoint]:
        """The endpoints."""
        store, sessions = self._store, "/v1/checkout/sessions"
        status = frozenset({"complete", "expired", "open"})
        session_filters: Mapping[str, Shape] = {"customer": str, "payment_intent": str, "status": status}
        event_filters: Mapping[str, Shape] = {"delivery_success": bool, "type": str, "types": [str]}
        return [
            Endpoint("POST", sessions, SESSION, self._create_session),
            Endpoint("POST", f"{sessions}/{{id}}/expire", _ONE, self._expire_session),
            *self._readable(store.sessions, sessions, session_filters),
            *self._readable(store.intents, "/v1/payment_intents", {"customer": str}),
            *self._readable(store.charges, "/v1/charges", {"customer": str, "payment_intent": str}),
            Endpoint("POST", "/v1/refunds", _REFUND, self._create_refund),
            *self._readable(store.refunds, "/v1/refunds", _OF_PAYMENT),
            *self._readable(store.disputes, "/v1/disputes", _OF_PAYMENT),
            Endpoint("GET", "/v1/customers/{id}", _ONE, partial(self._show, store.customers)),
            Endpoint("GET", "/v1/events", {**PAGING, **event_filters}, self._list_events),
            Endpoint("GET", "/v1/events/{id}", _ONE, self._show_event),
        ]

    def _readable(self, shelf: Shelf[Any], path: str, filters: Mapping[str, Shape]) -> list[Endpoint]:
        return [
            Endpoint("GET", path, {**PAGING, **filters}, partial(self._list, shelf, path)),
            Endpoint("GET", f"{path}/{{id}}", _ONE, partial(self._show, shelf)),
        ]

    def _show(self, shelf: Shelf[Any], call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, shelf.kind)
        return expansion.apply(shown(kept(shelf, call.object_id)), self._store)

    def _list(self, shelf: Shelf[Any], path: str, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, shelf.kind, in_list=True)
        return expansion.apply(page(shelf, call.given, shown, path), self._store)

    def _show_event(self, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, self._store.events.kind)
        return expansion.apply(event(kept(self._store.events, call.object_id)), self._store)

    def _list_events(self, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, self._store.events.kind, in_list=True)
        return expansion.apply(page_of_events(self._store.events, call.given, event), self._store)

    def _create_session(self, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, self._store.sessions.kind)
        order = order_of(call.given, self._store, int(time.time()))
        return expansion.apply(shown(self._checkouts.begin(order, call.base_url)), self._store)

    def _expire_session(self, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, self._store.sessions.kind)
        return expansion.apply(shown(self._checkouts.expire(call.object_id)), self._store)

    def _create_refund(self, call: Call) -> dict[str, Any]:
        expansion = Expansion(call.expand, self._store.refunds.kind)
        given = call.given
        only_one(given, "payment_intent", "charge")
        if "charge" in given:
            intent_id = kept(self._store.charges, given["charge"]).payment_intent
        else:
            intent_id = needed(given, "payment_intent")
        if given.get("amount", 1) < 1:
            message = "This value must be greater than or equal to 1."
            raise invalid(message, param="amount", code="parameter_invalid_integer")
        refund = self._checkouts.refund(
            intent_id, given.get("amount"), given.get("reason"), given.get("metadata")
        )
        return expansion.apply(shown(refund), self._store)
