"""What sending would cost, by what it has cost lately."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.queries.failures import Price

PRICES_OF = timedelta(days=30)
"""How far back prices are averaged."""


def estimated(messages: Mapping[str, int], paid: Sequence[Price]) -> dict[str, float]:
    """Estimate what messages would cost, by currency.

    Args:
        messages: How many, by channel.
        paid: Average prices.
    """
    costs: dict[str, float] = {}
    for price in paid:
        if count := messages.get(price.channel):
            costs[price.unit] = costs.get(price.unit, 0.0) + count * float(price.each)
    return costs


def told(costs: Mapping[str, float]) -> str:
    """Say costs in words."""
    amounts = ", ".join(f"about {amount:.4f} {unit}" for unit, amount in costs.items())
    return amounts or "nothing is known of prices"
