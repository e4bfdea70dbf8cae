"""The relay: what the database has due becomes a wake-up on the broker.

LISTEN makes it quick, a poll every second makes it sure. Several relays at once do no harm, and nothing is
lost while none runs: the rows stay due.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import psycopg
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError as DatabaseError

from db.pooling import keeps_sessions, listener
from db.queries import queues
from tasks import wakeups
from workers.debounce import Debounce

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from threading import Event

    from celery import Celery
    from sqlalchemy.orm import Session, sessionmaker

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
DEAF_POLL_SECONDS = 0.2
"""Between polls where no notification comes: what a person who waits for a message hardly notices."""

WINDOW_SECONDS = 0.02
RECONNECT_SECONDS = 0.5


class Relay:
    """Publishes wake-ups until it is told to stop.

    Args:
        database_url: To listen on. LISTEN does not pass a transaction pooler, and the poll comes sooner.
        sessions: Makes sessions, for the poll.
        celery: Publishes.
        stopping: Ends the relay.
        clock: Gives the time, aware, UTC.
    """

    def __init__(
        self,
        database_url: str,
        sessions: sessionmaker[Session],
        celery: Celery,
        stopping: Event,
        clock: Callable[[], datetime],
    ) -> None:
        self._database_url = database_url
        self._sessions = sessions
        self._celery = celery
        self._stopping = stopping
        self._clock = clock
        self._debounce = Debounce(WINDOW_SECONDS)

    def run(self) -> None:
        """Listen and poll; come back by itself when the database or the broker has been away."""
        while not self._stopping.is_set():
            try:
                if keeps_sessions(self._database_url):
                    self._listen()
                else:
                    log.warning(
                        "notifications do not come through, as behind a transaction pooler:"
                        " asking every %g s instead",
                        DEAF_POLL_SECONDS,
                    )
                    self._relay(DEAF_POLL_SECONDS, self._wait)
            except (psycopg.OperationalError, DatabaseError) as error:
                log.warning("the database is away (%s); trying again", type(error).__name__)
                self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with listener(self._database_url) as connection:
            connection.execute("listen fleet")
            log.info("listening")

            def hear(seconds: float) -> list[str]:
                return [notify.payload for notify in connection.notifies(timeout=seconds, stop_after=1)]

            self._relay(POLL_SECONDS, hear)

    def _wait(self, seconds: float) -> list[str]:
        self._stopping.wait(seconds)
        return []

    def _relay(self, poll_seconds: float, hear: Callable[[float], list[str]]) -> None:
        next_poll = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_poll:
                self._poll()
                next_poll = now + poll_seconds
            for queue in self._debounce.ready(now):
                self._publish(queue)
            until = min(next_poll, self._debounce.next_at() or next_poll)
            for queue in hear(max(0.0, until - time.monotonic())):
                if self._debounce.hit(queue, time.monotonic()):
                    self._publish(queue)

    def _poll(self) -> None:
        with self._sessions.begin() as session:
            due = queues.due(session, list(wakeups.CHANNELS), self._clock())
        for queue in due:
            if self._debounce.hit(queue, time.monotonic()):
                self._publish(queue)

    def _publish(self, queue: str) -> None:
        try:
            wakeups.publish(self._celery, queue)
        except BrokerError as error:
            log.warning("the broker is away (%s): %s is not woken, the next poll tries again", error, queue)
