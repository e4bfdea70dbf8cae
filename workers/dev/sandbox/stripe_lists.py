"""Stripe's lists, newest first, page by page.

Source: Stripe's "Pagination" and its API reference.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final

from workers.dev.sandbox.stripe_errors import invalid
from workers.dev.sandbox.stripe_forms import SPAN, Shape, only_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from workers.dev.sandbox.stripe_objects import StripeEvent
    from workers.dev.sandbox.stripe_store import K, Shelf

PAGING: Final[Mapping[str, Shape]] = {
    "created": SPAN,
    "ending_before": str,
    "expand": [str],
    "limit": int,
    "starting_after": str,
}
_USUAL_PAGE, _LONGEST_PAGE = 10, 100
_MOST_TYPES = 20
_EXACT: Final = ("charge", "customer", "payment_intent", "status")


def page(
    shelf: Shelf[K], given: Mapping[str, Any], show: Callable[[K], dict[str, Any]], url: str
) -> dict[str, Any]:
    """One page of a list.

    Args:
        shelf: What it is of.
        given: The filters and the place, as read.
        show: How one is shown.
        url: The list's path.

    Raises:
        Refusal: The place is none.
    """
    limit = given.get("limit", _USUAL_PAGE)
    if not 1 <= limit <= _LONGEST_PAGE:
        raise invalid(f"Limit must be between 1 and {_LONGEST_PAGE}, not {limit}.", param="limit")
    only_one(given, "starting_after", "ending_before")
    for name in ("starting_after", "ending_before"):
        if name in given and shelf.get(given[name]) is None:
            message = f"No such {shelf.kind}: '{given[name]}'"
            raise invalid(message, param=name, code="resource_missing")
    if "ending_before" in given:
        # The nearest ones of those before it, so they are counted from there.
        found = _beyond(shelf, given["ending_before"], given)
    elif "starting_after" in given:
        found = _beyond(reversed(shelf), given["starting_after"], given)
    else:
        found = (kept for kept in reversed(shelf) if _fits(kept, given))
    shown_ones = list(islice(found, limit))
    has_more = next(found, None) is not None
    if "ending_before" in given:
        shown_ones.reverse()
    return {"object": "list", "data": [show(kept) for kept in shown_ones], "has_more": has_more, "url": url}


def page_of_events(
    shelf: Shelf[StripeEvent], given: Mapping[str, Any], show: Callable[[StripeEvent], dict[str, Any]]
) -> dict[str, Any]:
    """One page of the events, as `page`; its own filters are checked here."""
    only_one(given, "type", "types")
    if len(given.get("types", ())) > _MOST_TYPES:
        raise invalid(f"You may specify up to {_MOST_TYPES} types.", param="types")
    return page(shelf, given, show, "/v1/events")


def _beyond(kept: Iterable[K], object_id: str, given: Mapping[str, Any]) -> Iterator[K]:
    rest = iter(kept)
    for _ in takewhile(lambda each: each.id != object_id, rest):
        pass
    return (each for each in rest if _fits(each, given))


def _fits(kept: Any, given: Mapping[str, Any]) -> bool:
    if not all(getattr(kept, name) == given[name] for name in _EXACT if name in given):
        return False
    if "delivery_success" in given and given["delivery_success"] == kept.undelivered:
        return False
    if "type" in given and not fnmatchcase(kept.type, given["type"]):
        return False
    if "types" in given and kept.type not in given["types"]:
        return False
    return _is_within(kept.created, given.get("created", {}))


def _is_within(moment: int, bounds: Mapping[str, int]) -> bool:
    return (
        bounds.get("gte", moment) <= moment <= bounds.get("lte", moment)
        and ("gt" not in bounds or bounds["gt"] < moment)
        and ("lt" not in bounds or moment < bounds["lt"])
    )
