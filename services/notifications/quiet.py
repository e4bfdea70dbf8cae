"""Quiet hours: when a phone is silent by its owner's clock on the wall, and when it is not again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Quiet:
    """A part of each day, by the clock on the wall.

    Attributes:
        start: The first silent minute.
        end: The first one that is not. Before ``start``, it is that of the next morning; the same as
            ``start``, no minute is silent.
    """

    start: time
    end: time

    @classmethod
    def read(cls, given: str) -> Self | None:
        """Read ``21:00-08:00``; None where nothing is given.

        Raises:
            ValueError: It is neither.
        """
        if not given:
            return None
        start, _, end = given.partition("-")
        try:
            return cls(time.fromisoformat(start), time.fromisoformat(end))
        except ValueError:
            raise ValueError(
                f"{given!r} are no quiet hours: give two times of day, such as 21:00-08:00"
            ) from None

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether it is quiet at a moment.

        Args:
            at: The moment, aware.
            zone: Where the clock hangs.
        """
        wall = at.astimezone(zone).time()
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def until(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When it is not quiet any more, in UTC; None where it is not quiet.

        In a night in which the clock is put forward over the end, it is when the clock is put forward; in one
        in which the end comes twice, it is the first end that is still to come.

        Args:
            at: The moment, aware.
            zone: Where the clock hangs.
        """
        if not self.holds(at, zone):
            return None
        wall = at.astimezone(zone)
        # Where the clock skips all of a day's minutes that are not quiet, it is the next day's.
        for days in range(3):
            end = datetime.combine(wall.date() + timedelta(days=days), self.end, zone)
            for moment in _moments(end):
                if moment > at and not self.holds(moment, zone):
                    return moment
        raise AssertionError("a day has an end")  # pragma: no cover - no clock skips three days


def _moments(wall: datetime) -> tuple[datetime, ...]:
    """When a clock shows this, or passes over it: once, or twice where it is put back."""
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return (first, second)
    # Nowhere: by the old offset it is past the moment when the clock was put forward, by the new one before.
    return (_put_forward(second, first, wall),)


def _put_forward(before: datetime, after: datetime, wall: datetime) -> datetime:
    old = before.astimezone(wall.tzinfo).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(wall.tzinfo).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
