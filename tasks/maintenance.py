"""Jobs that find what nobody was woken for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from db.queries import forgotten, inbox, links, queues
from tasks import wakeups
from tasks.jobs import DatabaseJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from services.dossiers.advancing import Advancing
    from services.notifications.fanout import Routing
    from services.notifications.lookups import Lookups
    from tasks.jobs import Job

FORGOTTEN_AFTER = timedelta(seconds=30)
FORGOTTEN_WITHIN = timedelta(days=1)
LINKS_REMEMBERED = timedelta(days=30)
BATCH = 1000
BATCHES = 100


@dataclass(frozen=True)
class WakeQueues:
    """Publishes what is due: leases that ended, retries, and all that a lost message left.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        wake: Asks a worker to drain a queue.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    wake: Callable[[str], None]

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Wake what is due."""
        del should_stop
        due = self._due()
        for queue in due:
            self.wake(queue)
        return _woke(due)

    def preview(self) -> str:
        """Wake nobody."""
        return _woke(self._due())

    def _due(self) -> Sequence[str]:
        with self.sessions() as session:
            return sorted(queues.due(session, list(wakeups.CHANNELS), self.clock()))


@dataclass(frozen=True)
class Sweeps:
    """What looks for work that nobody was told of.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        wake: Asks a worker to drain a queue.
        routing: Gives deliveries to notifications that have none.
        lookups: Puts down the questions to providers that nobody has put down.
        advancing: Knows the dossiers that an approval may move on.
        callbacks_kept: How long what providers have posted is kept once it was worked off.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    wake: Callable[[str], None]
    routing: Routing
    lookups: Lookups
    advancing: Advancing
    callbacks_kept: timedelta

    def jobs(self) -> Mapping[str, Job]:
        """The jobs, by the names of their entries."""
        works = {
            "route-notifications": self._route,
            "queue-forgotten": self._queue_forgotten,
            "put-down-questions": self._put_down_questions,
            "forget-links": self._forget_links,
            "retire-callbacks": self._retire_callbacks,
        }
        return {
            "wake-queues": WakeQueues(self.sessions, self.clock, self.wake),
            **{name: DatabaseJob(self.sessions, work) for name, work in works.items()},
        }

    def _route(self, sessions: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        return f"{replace(self.routing, sessions=sessions).run(should_stop)} notifications routed"

    def _queue_forgotten(self, sessions: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        del should_stop
        now = self.clock()
        with sessions.begin() as session:
            count = forgotten.enqueue(session, now - FORGOTTEN_WITHIN, now - FORGOTTEN_AFTER)
        advancing = replace(self.advancing, sessions=sessions)
        count += advancing.sweep(now - FORGOTTEN_WITHIN, now - FORGOTTEN_AFTER)
        return f"{count} forgotten rows queued"

    def _put_down_questions(self, sessions: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        del should_stop
        return f"{replace(self.lookups, sessions=sessions).sweep()} questions put down"

    def _forget_links(self, sessions: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        """Until then, whoever follows an expired link is told that it has."""
        until = self.clock() - LINKS_REMEMBERED
        deleted = _by_batches(sessions, should_stop, lambda session: links.expire(session, until, BATCH))
        return f"{deleted} links forgotten"

    def _retire_callbacks(self, sessions: sessionmaker[Session], should_stop: Callable[[], bool]) -> str:
        before = self.clock() - self.callbacks_kept
        deleted = _by_batches(sessions, should_stop, lambda session: inbox.retire(session, before, BATCH))
        return f"{deleted} callbacks retired"


def _by_batches(
    sessions: sessionmaker[Session], should_stop: Callable[[], bool], delete: Callable[[Session], int]
) -> int:
    """Delete batch by batch, each in a transaction of its own; what is left is for the next run."""
    deleted = 0
    for _ in range(BATCHES):
        if should_stop():
            break
        with sessions.begin() as session:
            batch = delete(session)
        deleted += batch
        if batch < BATCH:
            break
    return deleted


def _woke(due: Sequence[str]) -> str:
    return f"woke {', '.join(due) or 'nothing'}"
