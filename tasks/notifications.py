"""Tasks of the notification pipeline: each calls one service and says in one line what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from tasks import wakeups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from celery import Celery

    from services.notifications.delivery import Drain
    from services.notifications.evidence import Evidence
    from services.notifications.fanout import FanOut

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


def register(
    app: Celery,
    fan_out: FanOut,
    drains: Mapping[str, Drain],
    evidence: Evidence,
    stopping: Callable[[], bool],
) -> None:
    """Make the pipeline's tasks known to the app.

    Args:
        app: The Celery app.
        fan_out: Works off the outbox.
        drains: The drain of each channel.
        evidence: Works off the inbox.
        stopping: Whether this process has been asked to stop.
    """

    def until_time_is_up() -> Callable[[], bool]:
        deadline = time.monotonic() + DRAIN_SECONDS
        return lambda: stopping() or time.monotonic() >= deadline

    def drain(queue: str, run: Callable[[Callable[[], bool]], int]) -> int:
        time_is_up = until_time_is_up()
        try:
            count = run(time_is_up)
        except DBAPIError as error:
            # Celery logs what a task raises, and the database's own words may quote rows.
            raise DrainError(queue, type(error.orig).__name__) from None
        if time_is_up() and not stopping():
            wakeups.publish(app, queue)
        return count

    @app.task(name="events.fan_out_due")
    def fan_out_due() -> str:
        """Turn due events into notifications and deliveries."""
        return f"{drain('fanout', fan_out.run)} events fanned out"

    @app.task(name="email.send_due")
    def send_due_email() -> str:
        """Send the e-mails that are due."""
        return f"{drain('email', drains['EMAIL'].run)} e-mails settled"

    @app.task(name="in_app.send_due")
    def send_due_in_app() -> str:
        """Confirm the in-app deliveries that are due."""
        return f"{drain('in_app', drains['IN_APP'].run)} in-app deliveries settled"

    @app.task(name="callbacks.work_off_due")
    def work_off_callbacks() -> str:
        """Settle deliveries by what the providers said afterwards."""
        return f"{drain('inbox', evidence.run)} callbacks worked off"

    del fan_out_due, send_due_email, send_due_in_app, work_off_callbacks
