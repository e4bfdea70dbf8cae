"""One tick: what is due is called, each entry by one of however many ticks there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from db.queries import schedule
from schedules.standing import BEGIN_WITHIN, is_due, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from schedules.timetable import Entry


@dataclass(frozen=True)
class Tick:
    """Calls the runs that are due. Where nothing is, it costs one read.

    Attributes:
        sessions: Makes sessions.
        entries: The timetable.
        clock: Gives the time, aware, UTC.
        publish: Asks a worker for a run: queue, name of the entry, claim. Called after the commit; a run that
            it could not ask for is due again soon.
    """

    sessions: sessionmaker[Session]
    entries: Sequence[Entry]
    clock: Callable[[], datetime]
    publish: Callable[[str, str, UUID], None]

    def __call__(self) -> Sequence[str]:
        """Call what is due; return the entries' names."""
        now = self.clock()
        with self.sessions.begin() as session:
            rows = schedule.read(session)
            unknown = {entry.name for entry in self.entries} - rows.keys()
            if unknown:
                schedule.add(session, unknown, now)
            due = [
                row
                for entry in self.entries
                if (row := rows.get(entry.name)) and is_due(standing(entry, row, now), now)
            ]
            tokens = [(row, uuid4()) for row in due]
            claims = schedule.claim(session, tokens, now, now + BEGIN_WITHIN) if tokens else {}
        called = [entry for entry in self.entries if entry.name in claims]
        for entry in called:
            self.publish(entry.queue, entry.name, claims[entry.name])
        return [entry.name for entry in called]
