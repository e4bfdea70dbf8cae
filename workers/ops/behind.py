"""A finding that is renewed behind the backs of those who ask for it: they have the last one at once."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 0.1
"""So long those who ask wait for a new finding where the last one has grown old, and no longer."""

THREAD: Final = "behind the overview"

_REST: Final = 4
"""What takes long is found so many times more rarely, for the database has other work."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """A finding, and how many seconds ago it was found."""

    value: T
    age: float


class Behind(Generic[T]):
    """Finds again, in a thread of its own, when somebody asks and the last finding has grown old.

    Args:
        find: Finds it. Where the database is away, the last finding stands.
        seconds: How long a finding is good for.
    """

    def __init__(self, find: Callable[[], T], seconds: float) -> None:
        self._find = find
        self._seconds = seconds
        self._news = Condition()
        self._at_work = False
        self._last: tuple[float, float, T] | None = None

    def get(self) -> Found[T] | None:
        """The last finding; None where there is none yet."""
        with self._news:
            if self._old() and not self._at_work:
                self._at_work = True
                Thread(target=self._renew, name=THREAD, daemon=True).start()
            self._news.wait_for(lambda: not self._at_work, PATIENCE_SECONDS)
            if self._last is None:
                return None
            at, _, value = self._last
            return Found(value, time.monotonic() - at)

    def _old(self) -> bool:
        if self._last is None:
            return True
        at, took, _ = self._last
        return time.monotonic() - at >= max(self._seconds, _REST * took)

    def _renew(self) -> None:
        begun, found = time.monotonic(), None
        try:
            found = (self._find(),)
        except SQLAlchemyError as error:
            log.warning("nothing new is found for the overview (%s)", type(error).__name__)
        finally:
            with self._news:
                now = time.monotonic()
                if found:
                    self._last = (now, now - begun, found[0])
                self._at_work = False
                self._news.notify_all()
