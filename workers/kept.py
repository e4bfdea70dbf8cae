"""A finding that is kept for a moment, so that many who ask cost no more than one."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Kept(Generic[T]):
    """Finds again once what it found has grown old; whoever asks meanwhile waits for the same finding.

    Args:
        find: Finds it. What it raises is not kept.
        seconds: How long a finding is good for.
        monotonic: Gives the seconds on a clock that never goes back.
    """

    def __init__(
        self, find: Callable[[], T], seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = Lock()
        self._found: tuple[float, T] | None = None

    def get(self) -> T:
        """What was found a moment ago, or just now."""
        with self._lock:
            if self._found is None or self._monotonic() - self._found[0] >= self._seconds:
                found = self._find()
                self._found = (self._monotonic(), found)
            return self._found[1]
