"""Tasks of the notification pipeline: each lets a service work off its queue and says what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from tasks import wakeups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

    from services.notifications.delivery import Drain
    from services.notifications.outcomes import Settlement

Work = Callable[[Callable[[], bool]], str]
"""Works off a queue until nothing is due or it is told to stop; says what came of it, in counts."""

DRAIN_SECONDS = 20.0
"""A drain works this long at most and then asks for another, so that a stop never waits for a backlog."""


NOTHING = "nothing due"

FATES_OF_STATE = {"SENT": "sent", "FAILED": "failed", "PARKED": "parked", "GONE": "gone"}
FATES = (
    ("sent", "sent"),
    ("retry", "retries"),
    ("unknown", "unknown"),
    ("put off", "put off"),
    ("failed", "failed"),
    ("parked", "parked"),
    ("gone", "gone"),
)
"""What may become of a delivery, as it is told of one and of several: taken by the provider; not taken, and
tried again; perhaps taken, and looked into; left for later by a limit of ours or by quiet hours; given up;
kept for a person; or settled by somebody else meanwhile."""


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
    @app.task(name=wakeups.TASK_OF_QUEUE[queue], shared=False)
    def work_off() -> str:
        """Work off what is due on a queue."""
        deadline = time.monotonic() + DRAIN_SECONDS

        def time_is_up() -> bool:
            return stopping() or time.monotonic() >= deadline

        try:
            said = work(time_is_up)
        except DBAPIError as error:
            # Celery logs what a task raises, and the database's own words may quote rows.
            raise DrainError(queue, type(error.orig).__name__) from None
        if time_is_up() and not stopping():
            wakeups.publish(app, queue)
            said = f"{said}; another goes on"
        return f"{queue}: {said}"

    del work_off


def counting(run: Callable[[Callable[[], bool]], int], done: str) -> Work:
    """Work that is told by how many rows were dealt with.

    Args:
        run: Does it; gives how many.
        done: What was done to them, such as ``worked off``.
    """

    def work(should_stop: Callable[[], bool]) -> str:
        count = run(should_stop)
        return f"{count} {done}" if count else NOTHING

    return work


def sending(drain: Drain) -> Work:
    """Work that is told by what became of the deliveries.

    Args:
        drain: Sends them.
    """

    def work(should_stop: Callable[[], bool]) -> str:
        fates = Counter[str]()
        claimed = drain.run(should_stop, lambda settlement: fates.update([_fate(settlement)]))
        told = [f"{fates[one]} {one if fates[one] == 1 else several}" for one, several in FATES if fates[one]]
        return ", ".join([f"{claimed} claimed", *told]) if claimed else NOTHING

    return work


def _fate(settlement: Settlement) -> str:
    match settlement.state, settlement.outcome:
        case "WAITING", "DEFERRED":
            return "retry"
        case "WAITING", None if settlement.code != "quiet_hours":
            return "unknown"
        case "WAITING", _:
            return "put off"
        case state, _:
            return FATES_OF_STATE[state]
