"""Tasks that beat ticks: they find what nobody was woken for. Each may run twice without harm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from db.queries import dispatch, links, queues
from tasks import wakeups

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from celery import Celery
    from sqlalchemy.orm import Session, sessionmaker

    from services.notifications.fanout import Routing
    from services.notifications.lookups import Lookups

FORGOTTEN_AFTER = timedelta(seconds=30)
FORGOTTEN_WITHIN = timedelta(days=1)
LINKS_REMEMBERED = timedelta(days=30)
LINKS_BATCH = 1000
LINKS_BATCHES = 100


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What looks for work that nobody was told of.

    Attributes:
        routing: Gives deliveries to notifications that have none.
        lookups: Puts down the questions to providers that nobody has put down.
    """

    routing: Routing
    lookups: Lookups


def register(
    app: Celery,
    sessions: sessionmaker[Session],
    sweeps: Sweeps,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> None:
    """Make the sweeps known to the app.

    Args:
        app: The Celery app.
        sessions: Makes sessions.
        sweeps: What to run.
        clock: Gives the time, aware, UTC.
        stopping: Whether this process has been asked to stop.
    """

    @app.task(name="maintenance.wake_due_queues")
    def wake_due_queues() -> str:
        """Publish what is due: leases that ended, retries, and all that a lost message left."""
        with sessions.begin() as session:
            due = queues.due(session, list(wakeups.CHANNELS), clock())
        for queue in due:
            wakeups.publish(app, queue)
        return f"woke {', '.join(due) or 'nothing'}"

    @app.task(name="maintenance.route_notifications")
    def route_notifications() -> str:
        """Give deliveries to the application's notifications that still have none."""
        return f"{sweeps.routing.run(stopping)} notifications routed"

    @app.task(name="maintenance.enqueue_forgotten")
    def enqueue_forgotten() -> str:
        """Queue events and deliveries that the triggers have missed."""
        now = clock()
        with sessions.begin() as session:
            count = dispatch.enqueue_forgotten(session, now - FORGOTTEN_WITHIN, now - FORGOTTEN_AFTER)
        return f"{count} forgotten rows queued"

    @app.task(name="maintenance.put_down_questions")
    def put_down_questions() -> str:
        """Have providers asked about messages that nobody has heard of in time."""
        return f"{sweeps.lookups.sweep()} questions put down"

    @app.task(name="maintenance.forget_links")
    def forget_links() -> str:
        """Delete links that expired long ago; until then whoever follows one is told that it has."""
        until, deleted = clock() - LINKS_REMEMBERED, 0
        for _ in range(LINKS_BATCHES):
            with sessions.begin() as session:
                batch = links.expire(session, until, LINKS_BATCH)
            deleted += batch
            if batch < LINKS_BATCH or stopping():
                break
        return f"{deleted} links forgotten"

    del wake_due_queues, route_notifications, enqueue_forgotten, put_down_questions, forget_links
