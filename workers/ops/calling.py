"""Calling a run of the timetable by hand: as a tick does, whether or not it is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from db.queries import schedule
from schedules.standing import BEGIN_WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from schedules.timetable import Entry


@dataclass(frozen=True)
class Call:
    """Asks a worker for a run.

    Attributes:
        sessions: Makes sessions.
        entries: The timetable.
        clock: Gives the time, aware, UTC.
        publish: Asks a worker for a run: queue, name of the entry, claim.
    """

    sessions: sessionmaker[Session]
    entries: Sequence[Entry]
    clock: Callable[[], datetime]
    publish: Callable[[str, str, UUID], None]

    @property
    def names(self) -> set[str]:
        """The entries there are."""
        return {entry.name for entry in self.entries}

    def __call__(self, name: str) -> bool:
        """Call a run; False where one is called or under way already.

        Raises:
            kombu.exceptions.OperationalError: The broker is away; the entry is free again in a moment.
        """
        (entry,) = (each for each in self.entries if each.name == name)
        now = self.clock()
        with self.sessions.begin() as session:
            schedule.add(session, [name], now)
            row = schedule.read(session)[name]
            claims = schedule.claim(session, [(row, uuid4())], now, now + BEGIN_WITHIN)
        if claims:
            self.publish(entry.queue, name, claims[name])
        return bool(claims)
