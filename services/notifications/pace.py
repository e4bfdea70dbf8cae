"""Limits that all workers share: what a sender may send a minute, what a provider takes, what a person bears.

They are kept outside of the database and may be lost at any moment: then a window begins anew, no more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limits.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limits import RateLimitItem
    from limits.strategies import RateLimiter

log = logging.getLogger(__name__)

AWAY_SECONDS = 1.0
LEAST_SECONDS = 0.05
_WHY = {
    "rate_limit": "the channel has sent as much as it may for now",
    "recipient_limit": "this person has had as many messages as they are to have for now",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that a message would break.

    Attributes:
        code: Which, for the attempt's record.
        seconds: When to ask again.
    """

    code: str
    seconds: float

    @property
    def why(self) -> str:
        """The same in words."""
        return _WHY[self.code]


@dataclass(frozen=True)
class Pace:
    """One channel's limits.

    Attributes:
        channel: The channel, which is the name of its window: all its workers share that.
        limiter: Counts; its storage must wrap its own errors.
        rate: How many messages in how much time.
        per_person: How many messages to one person in how much time, on this channel.
        clock: Gives the time in epoch seconds, the limiter's own.
    """

    channel: str
    limiter: RateLimiter
    rate: RateLimitItem
    per_person: RateLimitItem
    clock: Callable[[], float]

    def room(self, wanted: int) -> tuple[int, float]:
        """Say how many messages may go now, at most ``wanted``, and where none may, for how many seconds.

        No call while a transaction is open: the counters are behind a network.
        """
        try:
            window = self.limiter.get_window_stats(self.rate, self.channel)
        except StorageError as error:
            log.warning("channel %s: the limits do not answer (%s); waiting", self.channel, error)
            return 0, AWAY_SECONDS
        if window.remaining > 0:
            return min(wanted, window.remaining), 0.0
        return 0, self._seconds_until(window.reset_time)

    def take(self, people: Sequence[str]) -> list[Refusal | None]:
        """Take the places of some messages in the windows.

        Args:
            people: The ids of whom they go to.

        Returns:
            For each, None where it may go.
        """
        try:
            refusals = [self._refused("recipient_limit", self.per_person, 1, person) for person in people]
            cost = refusals.count(None)
            refusal = self._refused("rate_limit", self.rate, cost) if cost else None
        except StorageError as error:
            log.warning("channel %s: the limits do not answer (%s); waiting", self.channel, error)
            return [Refusal("rate_limit", AWAY_SECONDS)] * len(people)
        return [refused or refusal for refused in refusals]

    def _refused(self, code: str, item: RateLimitItem, cost: int, *person: str) -> Refusal | None:
        window = (self.channel, *person)
        if self.limiter.hit(item, *window, cost=cost):
            return None
        return Refusal(code, self._seconds_until(self.limiter.get_window_stats(item, *window).reset_time))

    def _seconds_until(self, moment: float) -> float:
        return max(LEAST_SECONDS, moment - self.clock())
