"""Stripe's answers with objects in place of their ids.

Source: Stripe's "Expanding responses".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers.dev.sandbox.stripe_errors import invalid
from workers.dev.sandbox.stripe_views import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.dev.sandbox.stripe_store import StripeStore

_DEEPEST = 4
# Which fields of an object hold an id, and of what.
_REFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "checkout.session": {"customer": "customer", "payment_intent": "payment_intent"},
    "payment_intent": {"customer": "customer", "latest_charge": "charge"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
}


class Expansion:
    """What is to be shown in place of its id.

    Args:
        paths: Such as ``payment_intent.latest_charge``; in a list, with ``data.`` before.
        kind: What is answered, in Stripe's word, or what the list is of.
        in_list: Whether it is a list.

    Raises:
        Refusal: There is no id at the end of a path.
    """

    def __init__(self, paths: Sequence[str], kind: str, *, in_list: bool = False) -> None:
        self._paths = [path.split(".") for path in paths]
        for index, (path, steps) in enumerate(zip(paths, self._paths, strict=True)):
            if len(steps) > _DEEPEST:
                message = f"You cannot expand more than {_DEEPEST} levels: {path}."
                raise invalid(message, param=f"expand[{index}]")
            reached: str | None = kind
            if in_list:
                reached = kind if steps[0] == "data" and len(steps) > 1 else None
            for step in steps[1:] if in_list else steps:
                reached = _REFERENCES.get(reached or "", {}).get(step)
            if reached is None:
                raise invalid(f"This property cannot be expanded ({path}).", param=f"expand[{index}]")

    def apply(self, content: dict[str, Any], store: StripeStore) -> dict[str, Any]:
        """Put the objects into an answer; it is changed, and returned."""
        for steps in self._paths:
            _descend(content, steps, store)
        return content


def _descend(node: Any, steps: Sequence[str], store: StripeStore) -> None:
    for each in node if isinstance(node, list) else [node]:
        name, *further = steps
        if isinstance(each[name], str) and (referred := store.find(each[name])) is not None:
            each[name] = shown(referred)
        if further and isinstance(each[name], dict | list):
            _descend(each[name], further, store)
