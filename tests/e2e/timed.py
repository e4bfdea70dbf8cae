"""The ``fleet`` command by a clock that a test sets: the fleet itself has no such setting.

Run as a program, ``timed.py CLOCK COMMAND...`` is ``fleet COMMAND...`` by a clock that is ahead by the
seconds in the file CLOCK: the fleet's, and the sandbox's. Celery, the limits, the signatures of webhooks and
the database's own ``now()`` keep to the time as it is. So the clock goes forward only.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

TICK_SECONDS = 0.1
"""Where a day takes a second, beat asks as much more often what is due."""


@dataclass(frozen=True)
class Clock:
    """A clock that goes on by itself, and that whoever knows its file can set.

    Attributes:
        path: Where the seconds are that it is ahead.
    """

    path: Path

    @property
    def program(self) -> tuple[str, ...]:
        """What Python runs as the ``fleet`` command by this clock."""
        return (__file__, str(self.path))

    def set(self, at: datetime) -> None:
        """Let it be this time now, for all who look at it."""
        written = self.path.with_suffix(".new")
        written.write_text(f"{(at - datetime.now(UTC)).total_seconds()}")
        written.replace(self.path)

    def now(self) -> datetime:
        """As ``workers.clock.utc_now``."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead())

    def time(self) -> float:
        """As ``time.time``."""
        return time.time() + self._ahead()

    def _ahead(self) -> float:
        with suppress(FileNotFoundError):
            return float(self.path.read_text())
        return 0.0


def install(clock: Clock) -> None:
    """Let this process go by it. What takes the time by name must not have been imported before."""
    from workers import clock as the_fleets  # noqa: PLC0415 - as said

    the_fleets.utc_now = clock.now

    from tasks import schedule  # noqa: PLC0415 - as said
    from workers.dev.sandbox import (  # noqa: PLC0415 - as said
        app,
        phone_control,
        sendgrid,
        stripe_endpoints,
        stripe_payments,
        twilio,
        twilio_courses,
        twilio_views,
    )

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Self:
            del tz
            return cls.fromtimestamp(clock.time(), UTC)

    by_name: list[tuple[object, str, object]] = [
        (schedule, "TICK_SECONDS", TICK_SECONDS),
        (app, "Checkouts", partial(stripe_payments.Checkouts, clock=clock.time)),
        (stripe_endpoints, "time", SimpleNamespace(time=clock.time)),
        *((each, "datetime", Shifted) for each in (phone_control, sendgrid, twilio, twilio_courses)),
        (twilio_views, "datetime", Shifted),
    ]
    for module, name, value in by_name:
        assert hasattr(module, name), f"{module} has no {name} any more"
        setattr(module, name, value)


def main() -> None:
    """Run the command."""
    program, clock, *command = sys.argv
    install(Clock(Path(clock)))
    from workers.cli import main as fleet  # noqa: PLC0415 - after the clock

    sys.argv = [program, *command]
    fleet()


if __name__ == "__main__":
    main()
