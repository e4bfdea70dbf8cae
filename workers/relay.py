"""The relay: what the database has due becomes a wake-up on the broker.

LISTEN makes it quick, a poll every second makes it sure. Several relays at once do no harm, and nothing is
lost while none runs: the rows stay due.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError as DatabaseError

from db.engine import KEEPALIVE, dsn
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
WINDOW_SECONDS = 0.02
RECONNECT_SECONDS = 0.5


class Relay:
    """Publishes wake-ups until it is told to stop.

    Args:
        database_url: A direct or session connection; LISTEN does not pass a transaction pooler.
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
        self._dsn = dsn(database_url)
        self._sessions = sessions
        self._celery = celery
        self._stopping = stopping
        self._clock = clock
        self._debounce = Debounce(WINDOW_SECONDS)

    def run(self) -> None:
        """Listen and poll; come back by itself when the database or the broker has been away."""
        while not self._stopping.is_set():
            try:
                with self._connect() as connection:
                    connection.execute("listen fleet")
                    log.info("listening")
                    self._relay(connection)
            except (psycopg.OperationalError, DatabaseError) as error:
                log.warning("the database is away (%s); trying again", type(error).__name__)
                self._stopping.wait(RECONNECT_SECONDS)

    def _connect(self) -> psycopg.Connection:
        parameters: dict[str, Any] = {"application_name": "fleet-relay", "connect_timeout": 10, **KEEPALIVE}
        return psycopg.connect(self._dsn, autocommit=True, **parameters)

    def _relay(self, connection: psycopg.Connection) -> None:
        next_poll = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_poll:
                self._poll()
                next_poll = now + POLL_SECONDS
            for queue in self._debounce.ready(now):
                self._publish(queue)
            until = min(next_poll, self._debounce.next_at() or next_poll)
            timeout = max(0.0, until - time.monotonic())
            for notify in connection.notifies(timeout=timeout, stop_after=1):
                if self._debounce.hit(notify.payload, time.monotonic()):
                    self._publish(notify.payload)

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
