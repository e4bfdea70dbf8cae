"""Tasks of the schedule: beat ticks, a tick calls what is due, and each call is a run of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tasks.running import RunError, kind
from tasks.wakeups import MAINTENANCE_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from celery import Celery

    from tasks.running import Runner

TICK: Final = "schedule.tick"
RUN: Final = "schedule.run"

CALLED_NOTHING: Final = "called nothing"
"""What nearly every tick says."""

TICK_SECONDS: Final = 1.0
EXPIRES_SECONDS: Final = 10
"""Of ticks and runs that nobody took in time, the next do the work. Clocks may differ by less than this."""


def beat_schedule() -> Mapping[str, Mapping[str, Any]]:
    """Celery beat's schedule: one tick. What it is for is in the timetable, and the database decides."""
    options = {"queue": MAINTENANCE_QUEUE, "expires": EXPIRES_SECONDS}
    return {"tick": {"task": TICK, "schedule": TICK_SECONDS, "options": options}}


def publish(app: Celery, queue: str, name: str, claim: UUID) -> None:
    """Ask a worker for a run.

    Raises:
        kombu.exceptions.OperationalError: The broker is away. The entry is due again when the claim ends.
    """
    app.send_task(
        RUN, args=[name, str(claim)], argsrepr=name, queue=queue, expires=EXPIRES_SECONDS, retry=False
    )


def register(app: Celery, tick: Callable[[], Sequence[str]], runner: Runner) -> None:
    """Make the tasks known to the app.

    Args:
        app: The Celery app.
        tick: Calls what is due; gives the names.
        runner: Runs it.
    """

    # A tick each second would leave no room for anything else in what Flower keeps.
    @app.task(name=TICK, send_events=False, shared=False)
    def call_what_is_due() -> str:
        """Call the runs that are due."""
        with _in_few_words("the tick"):
            called = tick()
            return f"called {', '.join(called)}" if called else CALLED_NOTHING

    @app.task(name=RUN, shared=False)
    def run(name: str, claim: str) -> str:
        """Run an entry of the timetable."""
        with _in_few_words(name):
            return f"{name}: {runner.run(name, UUID(claim)) or 'in the hands of another'}"

    del call_what_is_due, run


@contextmanager
def _in_few_words(name: str) -> Iterator[None]:
    """Celery logs what a task raises, and the database's own words may quote rows."""
    try:
        yield
    except DBAPIError as error:
        raise RunError(name, kind(error)) from None
