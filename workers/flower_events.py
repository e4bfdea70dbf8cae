"""What workers tell of themselves and their tasks, as Flower keeps it: bounded, with room for the seldom."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from celery.events import EventReceiver
from flower.events import Events

from tasks.schedule import RUN

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from celery import Celery

log = logging.getLogger(__name__)

TASKS: Final = 5000
"""Tasks that are kept, the latest; a busy fleet runs some dozens a second."""

WORKERS: Final = 100
OFFLINE_SECONDS: Final = 3600
"""How long a worker that is gone is still shown. Each start of a worker is a new one to Flower."""

OFTEN_SECONDS: Final = 60
RECONNECT_SECONDS: Final = 1.0


class FleetEvents(Events):
    """Listens to the broker, and keeps what it hears.

    Args:
        celery: Whose broker.
        loop: In whose thread the state is touched.
        tasks: How many are kept.
    """

    def __init__(self, celery: Celery, loop: Any, tasks: int = TASKS) -> None:
        # The fleet's workers tell without being asked every few seconds to do so.
        super().__init__(
            celery, loop, enable_events=False, max_tasks_in_memory=tasks, max_workers_in_memory=WORKERS
        )
        self._last_runs: dict[str, str] = {}

    def run(self) -> None:
        """Listen for good. Flower's own waits twice as long after each vain try: after hours, for hours."""
        while True:
            try:
                with self.capp.connection() as connection:
                    receiver = EventReceiver(connection, handlers={"*": self.on_event}, app=self.capp)
                    receiver.capture(limit=None, timeout=None, wakeup=True)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next try is a whole one
                log.warning("no events, the broker is away (%s); trying again", type(error).__name__)
            time.sleep(RECONNECT_SECONDS)

    def on_event(self, event: dict[str, Any]) -> None:
        """Take it up in the loop's thread, which alone touches the state."""
        self.io_loop.add_callback(self.take, event)

    def take(self, event: dict[str, Any]) -> None:
        """Keep an event; of entries of the timetable that run every few seconds, the last good run."""
        self.state.event(event)
        if event["type"] != "task-succeeded":
            return
        tasks, uuid = self.state.tasks, event["uuid"]
        if tasks[uuid].name != RUN:
            return
        before = self._last_runs.get(tasks[uuid].args)
        self._last_runs[tasks[uuid].args] = uuid
        if before in tasks and tasks[uuid].succeeded - tasks[before].succeeded < OFTEN_SECONDS:
            del tasks[before]
            self.state.search_engine.remove(before)

    def forget(self, now: float) -> AbstractSet[str]:
        """Forget workers that have been gone for long: Flower keeps what it counts of each for good.

        Args:
            now: The time, in seconds since 1970.

        Returns:
            The names of the others.
        """
        known = {
            name
            for name, worker in self.state.workers.items()
            if max(worker.heartbeats, default=0.0) > now - OFFLINE_SECONDS
        }
        gone = set(self.state.counter) - known
        for kept in (self.state.workers, self.state.counter, self.state.tasks_by_worker):
            for name in gone & set(kept):
                del kept[name]
        self.state.metrics.remove_workers(gone)
        return known
