"""What can be run by hand: every task, and every entry of the timetable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schedules.timetable import timetable
from tasks import schedule
from tasks.catalogue import Described, described

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task with what it is told.

    Attributes:
        task: Which.
        values: Its parameters.
    """

    task: Described
    values: Mapping[str, str]

    @property
    def entry(self) -> str | None:
        """The entry of the timetable that it is a run of, if it is one's."""
        if self.task.name == schedule.RUN:
            return self.values["name"]
        return self.task.name if self.task.name in {entry.name for entry in timetable()} else None


def known() -> Mapping[str, Described]:
    """Every task, and every entry of the timetable, by name."""
    entries = timetable()
    jobs = [Described(entry.name, entry.words, entry.queue) for entry in entries]
    return {each.name: each for each in (*jobs, *described([entry.name for entry in entries]))}
