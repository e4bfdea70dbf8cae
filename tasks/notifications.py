"""Tasks of the notification pipeline: each lets a service work off its queue and says what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from tasks import wakeups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

Work = Callable[[Callable[[], bool]], int]
"""Works off a queue until nothing is due or it is told to stop; gives how many rows it dealt with."""

DRAIN_SECONDS = 20.0
"""A drain works this long at most and then asks for another, so that a stop never waits for a backlog."""


class DrainError(Exception):
    """A drain that the database ended. What was due stays due.

    Args:
        queue: Which.
        kind: The class of the database's error; its text may quote personal data.
    """

    def __init__(self, queue: str, kind: str) -> None:
        super().__init__(f"draining {queue}: {kind}")


def register(app: Celery, works: Mapping[str, Work], stopping: Callable[[], bool]) -> None:
    """Make the pipeline's tasks known to the app.

    Args:
        app: The Celery app.
        works: What works off each queue of ``wakeups.TASK_OF_QUEUE``.
        stopping: Whether this process has been asked to stop.
    """
    for queue, work in works.items():
        _register(app, queue, work, stopping)


def _register(app: Celery, queue: str, work: Work, stopping: Callable[[], bool]) -> None:
    @app.task(name=wakeups.TASK_OF_QUEUE[queue])
    def work_off() -> str:
        """Work off what is due on a queue."""
        deadline = time.monotonic() + DRAIN_SECONDS

        def time_is_up() -> bool:
            return stopping() or time.monotonic() >= deadline

        try:
            count = work(time_is_up)
        except DBAPIError as error:
            # Celery logs what a task raises, and the database's own words may quote rows.
            raise DrainError(queue, type(error.orig).__name__) from None
        if time_is_up() and not stopping():
            wakeups.publish(app, queue)
        return f"{queue}: {count} worked off"

    del work_off
