"""Wake-ups without a storm: the first goes at once, those within the window after it become one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Debounce:
    """Decides when to publish; told the time, does not look at a clock.

    Attributes:
        window: Seconds between two wake-ups of one queue.
    """

    window: float
    _last: dict[str, float] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    def hit(self, queue: str, now: float) -> bool:
        """Note a wake-up; return whether to publish it now. Else it is held until its window ends."""
        if now - self._last.get(queue, -self.window) >= self.window:
            self._last[queue] = now
            self._held.discard(queue)
            return True
        self._held.add(queue)
        return False

    def ready(self, now: float) -> list[str]:
        """The held queues whose window has ended; they count as published."""
        ready = sorted(queue for queue in self._held if now - self._last[queue] >= self.window)
        for queue in ready:
            self._held.discard(queue)
            self._last[queue] = now
        return ready

    def next_at(self) -> float | None:
        """When the next held queue becomes ready."""
        return min((self._last[queue] + self.window for queue in self._held), default=None)
