"""Working off a queue of rows: in batches, and where a batch fails, one by one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

log = logging.getLogger(__name__)


class Queue(Protocol):
    """A table of rows with a due time, by their ids; a module of ``db.queries`` is one."""

    def claim(self, session: Session, limit: int, now: datetime, /) -> list[UUID]:
        """Lock up to ``limit`` due rows for this transaction, passing over those that others hold."""

    def tries(self, session: Session, row_id: UUID, /) -> int:
        """How often a row has failed so far."""

    def fail(  # noqa: PLR0913, PLR0917 - the values of one statement
        self, session: Session, row_id: UUID, error: str, due_at: datetime, park_after: int, now: datetime, /
    ) -> bool:
        """Record a failure; park the row after ``park_after`` of them, and say whether it is parked."""


class Patience(Protocol):
    """How often, and after which pauses, a row that fails is tried again."""

    @property
    def retries(self) -> int:
        """Tries after the first one."""

    def backoff(self, tries: int, jitter: Callable[[], float], /) -> timedelta:
        """The pause after this many tries; ``jitter`` gives a number in [0, 1)."""


@dataclass(frozen=True)
class Batches:
    """Works off one queue.

    Attributes:
        what: What a row is, for the log.
        queue: Where the rows are.
        work: Does what is to be done for some rows, and says in their queue that it is done. It calls nobody
            outside: its rows are locked meanwhile, and that is their lease.
        sessions: Makes sessions.
        policy: The pauses after a failure, and how many tries before a row is parked.
        clock: Gives the time, aware, UTC.
        jitter: Gives a number in [0, 1).
        size: How many rows a transaction takes.
    """

    what: str
    queue: Queue
    work: Callable[[Session, Sequence[UUID], datetime], None]
    sessions: sessionmaker[Session]
    policy: Patience
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    size: int = 100

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work until nothing is due or ``should_stop`` says so; return how many rows were worked off."""
        total = 0
        while not should_stop():
            worked_off = self._batch_or_one_by_one()
            total += worked_off
            if worked_off == 0:
                break
        return total

    def _batch_or_one_by_one(self) -> int:
        try:
            return self._batch(self.size)
        except Exception as error:  # noqa: BLE001 - recorded with the row that fails alone
            name = type(error).__name__
            log.warning("a batch of %ss failed (%s); trying its %ss one by one", self.what, name, self.what)
        # The first row that fails alone is recorded and leaves the head of the queue; the rest follow.
        return self._batch(1, record_failure=True)

    def _batch(self, limit: int, *, record_failure: bool = False) -> int:
        with self.sessions.begin() as session:
            row_ids = self.queue.claim(session, limit, self.clock())
            if not row_ids:
                return 0
            now = self.clock()
            try:
                with session.begin_nested():
                    self.work(session, row_ids, now)
            except Exception as error:
                if not record_failure:
                    raise
                self._record_failure(session, row_ids[0], error, now)
            return len(row_ids)

    def _record_failure(self, session: Session, row_id: UUID, error: Exception, now: datetime) -> None:
        # The class alone: a message of the database or of a template may quote personal data.
        name = type(error).__name__
        due_at = now + self.policy.backoff(self.queue.tries(session, row_id) + 1, self.jitter)
        parked = self.queue.fail(session, row_id, name, due_at, self.policy.retries + 1, now)
        told = (self.what, row_id, name, "; parked" if parked else "")
        log.error("%s %s failed with %s%s", *told, extra={f"{self.what}_id": str(row_id)})
