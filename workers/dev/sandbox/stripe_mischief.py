"""What goes wrong with Stripe's webhooks on demand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.dev.sandbox.stripe_wire import StripeMischief

if TYPE_CHECKING:
    from typing import Literal


@dataclass(frozen=True, slots=True)
class Lot:
    """What becomes of one event's webhook."""

    lost: bool
    doubled: bool
    seconds_late: float


class Mischief:
    """Says of each event what becomes of its webhook; repeatable, in the order of the events."""

    def __init__(self) -> None:
        self.set(StripeMischief())

    def set(self, wanted: StripeMischief) -> None:
        """Do this from now on, and nothing of what was set before."""
        self._wanted = wanted
        self._random = random.Random(0)  # noqa: S311  repeatable on purpose

    def draw(self) -> Lot:
        """What becomes of the next event."""
        lost, doubled, late = (self._strikes(kind) for kind in ("lose", "double", "late"))
        seconds = self._wanted.seconds
        return Lot(lost, doubled, self._random.uniform(seconds / 2, seconds) if late else 0.0)

    def left(self) -> StripeMischief:
        """What is still to be done."""
        return self._wanted

    def _strikes(self, kind: Literal["lose", "double", "late"]) -> bool:
        wanted: int | float = getattr(self._wanted, kind)
        if isinstance(wanted, float):
            return self._random.random() < wanted
        if wanted:
            self._wanted = self._wanted.model_copy(update={kind: wanted - 1})
        return wanted > 0
