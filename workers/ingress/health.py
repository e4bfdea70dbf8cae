"""Health is the age of due work: a process that answers may still do nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from db.queries import queues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.queues import QueueHead


@dataclass(frozen=True, slots=True)
class Report:
    """How the fleet's work stands.

    Attributes:
        status: ``ok``, ``late`` where a queue's oldest due row is too old, ``away`` where the database is.
        queues: Each queue's figures, ready for JSON; ``due`` and ``waiting`` count up to ``queues.COUNTED``.
    """

    status: str
    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Looks at the head of every queue.

    Attributes:
        sessions: Makes sessions.
        channels: Those that are worked off.
        max_age_seconds: A row that has been due for longer is late, on a paused channel too.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    channels: Sequence[str]
    max_age_seconds: float
    clock: Callable[[], datetime]

    def look(self) -> Report:
        """Ask the database, with one statement."""
        try:
            with self.sessions.begin() as session:
                heads = queues.heads(session, list(self.channels), self.clock())
        except SQLAlchemyError:
            return Report("away")
        late = any((head.oldest_due_seconds or 0.0) > self.max_age_seconds for head in heads)
        return Report("late" if late else "ok", {head.queue: _figures(head) for head in heads})


def _figures(head: QueueHead) -> dict[str, Any]:
    age = head.oldest_due_seconds
    figures: dict[str, Any] = {
        "due": head.due,
        "held": head.due if head.pause else 0,
        "waiting": head.waiting,
        "oldest_due_seconds": None if age is None else round(age, 3),
    }
    if head.pause is not None and head.paused_until is not None:
        until = head.paused_until.isoformat(timespec="seconds")
        figures["paused"] = {"kind": head.pause, "code": head.pause_code, "until": until}
    return figures
