"""How often an unpaid order is reminded of: at an interval, or up a ladder of days that ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.queries.reminders import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Ladder = tuple[int, ...]
"""Days since the order was made, growing; none at all: flat, at the interval."""

FLAT: Final[Ladder] = ()
TOLERANCE: Final = timedelta(hours=1)
"""A daily run begins a little earlier or later each day, and takes time: three days are 71 hours to it."""

REST: Final = timedelta(hours=20)
"""From one reminder to the next of one person, whatever the orders: less than a day, more than a run."""

_DAYS: Final = re.compile(r"\d{1,3}(,\d{1,3})*")


@dataclass(frozen=True, slots=True)
class ReminderPolicy:
    """When reminders are due, and which is the last.

    Attributes:
        interval: Between two reminders of an order that is on no ladder, and from the last rung to the end.
        most: How many such an order gets; None for as many as it takes.
        ladder: Of the products that have none of their own.
        ladders: By product code.
    """

    interval: timedelta = timedelta(days=3)
    most: int | None = None
    ladder: Ladder = FLAT
    ladders: Mapping[str, Ladder] = field(default_factory=dict)

    def of(self, product_code: str) -> Ladder:
        """The ladder of a product."""
        return self.ladders.get(product_code, self.ladder)

    def ends_with(self, product_code: str, number: int) -> bool:
        """Whether no reminder follows the one of this number, counted from 1."""
        most = len(self.of(product_code)) or self.most
        return most is not None and number >= most

    @property
    def pause(self) -> timedelta:
        """The interval as it is compared."""
        return self.interval - TOLERANCE


def read_ladder(given: str) -> Ladder:
    """Read days such as ``1,4,7,14,30``; nothing is flat.

    Raises:
        ValueError: They are no such days.
    """
    days = tuple(int(day) for day in re.findall(r"\d+", given))
    if given and (not _DAYS.fullmatch(given) or list(days) != sorted({*days}) or days[0] < 1):
        raise ValueError("give days that grow, by comma, such as 1,4,7,14,30")
    return days


def read_ladders(given: str) -> dict[str, Ladder]:
    """Read ladders by product code, such as ``LLC_FORMATION=1,4,7;BANKING=-``, where ``-`` is flat.

    Raises:
        ValueError: They are no such ladders, or one product has two.
    """
    ladders: dict[str, Ladder] = {}
    for each in given.split(";") if given else []:
        code, _, days = (part.strip() for part in each.partition("="))
        if not code or not days or code in ladders:
            raise ValueError("give ladders by product code, each once, such as LLC_FORMATION=1,4,7;BANKING=-")
        ladders[code] = FLAT if days == "-" else read_ladder(days)
    return ladders


def terms(policy: ReminderPolicy, now: datetime) -> Terms:
    """The policy at a moment, as the statements want it."""
    return Terms(
        now=now,
        pause_since=now - policy.pause,
        rest_since=now - REST,
        most=policy.most,
        ladder=json.dumps(policy.ladder),
        ladders=json.dumps(dict(policy.ladders)),
    )
