"""What the timetable's entries do: jobs, which say in words what came of them, or what would."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.orm import sessionmaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session


class Job(Protocol):
    """Something that is done again and again, harmless when done twice or late."""

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Do it.

        Args:
            should_stop: Whether to come to an end. To ask is also to show that one is alive: a job that takes
                longer than its entry's lease asks in between.

        Returns:
            What came of it, in words without anything personal: it is kept and shown.
        """

    def preview(self) -> str:
        """What ``run`` would say now. Changes nothing and sends nothing."""


@dataclass(frozen=True)
class DatabaseJob:
    """A job that is nothing but transactions, so that it can be rehearsed: done, and taken back.

    Attributes:
        sessions: Makes sessions.
        work: Does it with what makes sessions; otherwise as ``Job.run``.
    """

    sessions: sessionmaker[Session]
    work: Callable[[sessionmaker[Session], Callable[[], bool]], str]

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Do it."""
        return self.work(self.sessions, should_stop)

    def preview(self) -> str:
        """Do it, and take it back."""
        with rehearsal(self.sessions) as sessions:
            return self.work(sessions, _never)


@contextmanager
def rehearsal(sessions: sessionmaker[Session]) -> Iterator[sessionmaker[Session]]:
    """Yield what makes sessions that see each other's commits, all of which are taken back at the end."""
    with sessions() as outer:
        yield sessionmaker(
            outer.connection(), expire_on_commit=False, join_transaction_mode="create_savepoint"
        )


def _never() -> bool:
    return False
