"""One provider's calls a second, shared by all workers.

The count is kept outside of the database and may be lost at any moment: then the second begins anew, no more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limits.errors import StorageError

from providers.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits import RateLimitItem
    from limits.strategies import RateLimiter

AWAY_SECONDS = 1.0
LEAST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SharedPace:
    """Makes callers wait for their turn.

    Attributes:
        provider: Whose calls: all workers share the window of that name.
        limiter: Counts; its storage must wrap its own errors.
        rate: How many calls in how much time.
        patience: Seconds that a caller waits at most.
        clock: Gives the time in epoch seconds, the limiter's own.
        sleep: Waits some seconds.
    """

    provider: str
    limiter: RateLimiter
    rate: RateLimitItem
    patience: float = 3.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> None:
        """Come back when a call may be made, which is then counted.

        No call while a transaction is open.

        Raises:
            RateLimited: Not within the caller's patience, or the count cannot be kept: a limit that is not
                known to hold is taken for reached.
        """
        try:
            self._wait(self.clock() + self.patience)
        except StorageError as error:
            detail = f"the limits do not answer ({type(error).__name__})"
            raise RateLimited("own_limit", detail, AWAY_SECONDS) from error

    def _wait(self, deadline: float) -> None:
        while not self.limiter.hit(self.rate, self.provider):
            free_at = self.limiter.get_window_stats(self.rate, self.provider).reset_time
            seconds = max(LEAST_SECONDS, free_at - self.clock())
            if self.clock() + seconds > deadline:
                detail = f"as many calls of {self.provider} are under way as may be"
                raise RateLimited("own_limit", detail, seconds)
            self.sleep(seconds)
