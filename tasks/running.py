"""One run of a job: begun by whoever holds the claim, kept alive while it works, and recorded."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError

from db.queries import schedule
from db.queries.schedule import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy.orm import Session, sessionmaker

    from tasks.jobs import Job

log = logging.getLogger(__name__)


class RunError(Exception):
    """A run or a tick that failed. What is due is due again.

    Args:
        name: Of what.
        kind: The class of the error; its text may quote personal data.
    """

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name} failed with {kind}")


@dataclass(frozen=True)
class Runner:
    """Runs jobs and records them.

    Attributes:
        sessions: Makes sessions.
        jobs: By the names of their entries.
        leases: For how long each is left alone after it last asked whether to stop.
        clock: Gives the time, aware, UTC.
        stopping: Whether this process has been asked to stop.
    """

    sessions: sessionmaker[Session]
    jobs: Mapping[str, Job]
    leases: Mapping[str, timedelta]
    clock: Callable[[], datetime]
    stopping: Callable[[], bool]

    def run(self, name: str, claim: UUID) -> str | None:
        """Run what a tick has called.

        Returns:
            What came of it; None where the claim is no longer the entry's: the message came late, or twice.

        Raises:
            RunError: The job failed.
            ValueError: This release has no such job.
        """
        self._know(name)
        run, lease = uuid4(), self.leases[name]
        with self.sessions.begin() as session:
            now = self.clock()
            if not schedule.begin(session, name, claim, run, now, now + lease):
                return None
        return self._work(_Hold(self, name, run, lease, renewed_at=now))

    def run_now(self, name: str) -> str | None:
        """Run it here, due or not.

        Returns:
            What came of it; None where somebody else is at it.

        Raises:
            RunError: The job failed.
            ValueError: This release has no such job.
        """
        self._know(name)
        with self.sessions.begin() as session:
            now = self.clock()
            schedule.add(session, [name], now)
            row = schedule.read(session)[name]
            claims = schedule.claim(session, [(row, uuid4())], now, now + self.leases[name])
        return self.run(name, claims[name]) if claims else None

    def _know(self, name: str) -> None:
        if name not in self.jobs:
            raise ValueError(f"there is no job {name}; there are {', '.join(sorted(self.jobs))}")

    def _work(self, hold: _Hold) -> str:
        try:
            result = self.jobs[hold.name].run(hold.should_stop)
        except BaseException as error:
            self._end(hold, Ending(None, kind(error)))
            if not isinstance(error, Exception):
                raise
            log.error("%s failed with %s", hold.name, kind(error))  # noqa: TRY400 - a traceback may quote personal data
            raise RunError(hold.name, kind(error)) from None
        self._end(hold, Ending(result, unfinished=hold.told_to_stop))
        return result

    def _end(self, hold: _Hold, ending: Ending) -> None:
        with self.sessions.begin() as session:
            if not schedule.finish(session, hold.name, hold.run, ending, self.clock()):
                log.warning("%s took longer than its lease; another has begun meanwhile", hold.name)


@dataclass
class _Hold:
    """A run's hold on its entry, renewed while the job asks whether to stop."""

    runner: Runner
    name: str
    run: UUID
    lease: timedelta
    renewed_at: datetime
    told_to_stop: bool = field(default=False)

    def should_stop(self) -> bool:
        self.told_to_stop = self.told_to_stop or self.runner.stopping() or not self._kept()
        return self.told_to_stop

    def _kept(self) -> bool:
        now = self.runner.clock()
        if now < self.renewed_at + self.lease / 3:
            return True
        with self.runner.sessions.begin() as session:
            kept = schedule.renew(session, self.name, self.run, now + self.lease)
        self.renewed_at = now
        return kept


def kind(error: BaseException) -> str:
    """The class of an error, of what the database said where it was that."""
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__
