"""Faults on demand: what the next requests will meet instead of an ordinary answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from workers.dev.sandbox.wire import Fault


@dataclass(slots=True)
class ActiveFault:
    """A fault, with the number of requests that it still waits for and of those it has let pass."""

    id: int
    fault: Fault
    remaining: int
    passed: int = 0

    def strikes(self) -> bool:
        """Whether it is this request's turn."""
        self.passed = (self.passed + 1) % self.fault.every
        return self.passed == 0


class Faults:
    """The faults that are set, in the order in which they were; the first that matches is taken."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._active: list[ActiveFault] = []

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active)

    def add(self, fault: Fault) -> ActiveFault:
        """Set a fault for the next ``fault.count`` requests that match it."""
        active = ActiveFault(next(self._ids), fault, fault.count)
        self._active.append(active)
        return active

    def take(self, addresses: Collection[str], request: Literal["send", "look"] = "send") -> Fault | None:
        """The fault that a request meets, if any; one of its count is used up.

        Args:
            addresses: Whom it sends to or asks about.
            request: Which of the two it does.
        """
        for active in self._active:
            if active.fault.request != request:
                continue
            if any(active.fault.to in address for address in addresses) and active.strikes():
                active.remaining -= 1
                if not active.remaining:
                    self._active.remove(active)
                return active.fault
        return None

    def clear(self) -> None:
        """Forget all faults."""
        self._active.clear()
