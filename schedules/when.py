"""When an entry of the timetable is due: every so many seconds, or daily at a time, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import Final


class When(Protocol):
    """How often, and at which times."""

    @property
    def period(self) -> timedelta:
        """From one time to the next."""

    @property
    def words(self) -> str:
        """The same for people."""

    def next_after(self, last: datetime, now: datetime) -> datetime:
        """The first time after a run, UTC; times missed since then are made up for by this one.

        Args:
            last: When it ran last or, before its first run, since when it has been in the timetable.
            now: The time, aware. A last run that lies further ahead of it than a period was told by a clock
                gone wrong: the next one is due now.
        """


@dataclass(frozen=True, slots=True)
class Every:
    """At every whole multiple of some seconds since 1970, so that a late run does not put off the next.

    Attributes:
        seconds: One at least.

    Raises:
        ValueError: It is less.
    """

    seconds: int

    def __post_init__(self) -> None:
        if self.seconds < 1:
            raise ValueError(f"Every needs one second at least, not {self.seconds}.")

    @property
    def period(self) -> timedelta:
        """From one time to the next."""
        return timedelta(seconds=self.seconds)

    @property
    def words(self) -> str:
        """Such as ``every 5 s``."""
        for unit, seconds in _UNITS:
            if self.seconds % seconds == 0:
                return f"every {self.seconds // seconds} {unit}"
        return f"every {self.seconds} s"

    def next_after(self, last: datetime, now: datetime) -> datetime:
        """The next multiple; see ``When``."""
        if last > now + self.period:
            return now.astimezone(UTC)
        since = (last - _EPOCH) // self.period
        return _EPOCH + (since + 1) * self.period


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day.

    Attributes:
        at: The time of day, UTC, without a zone.
    """

    at: time

    @property
    def period(self) -> timedelta:
        """A day: UTC knows no shorter or longer ones."""
        return timedelta(days=1)

    @property
    def words(self) -> str:
        """Such as ``daily at 09:00 UTC``."""
        return f"daily at {self.at:%H:%M} UTC"

    def next_after(self, last: datetime, now: datetime) -> datetime:
        """The next day's time, or the same day's where that is still to come; see ``When``."""
        if last > now + self.period:
            return now.astimezone(UTC)
        same_day = datetime.combine(last.astimezone(UTC).date(), self.at, UTC)
        return same_day if same_day > last else same_day + self.period


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = (("h", 3600), ("min", 60))
