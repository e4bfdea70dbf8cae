"""The steps of the upgrade in their order, those of the platform's migration guide with the data between."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from db.v1 import journal, report, script
from db.v1.aside import set_aside
from db.v1.backfill import backfill
from db.v1.bind import bind
from db.v1.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.v1.report import Report
    from db.v1.session import Connection

Step = tuple[str, "Callable[[Connection, Callable[[int, int], None]], None]"]


def _file(name: str) -> Step:
    return name, lambda connection, progress: script.run(connection, name, progress)


_STEPS: list[Step] = [
    ("count", lambda connection, _: report.count_before(connection)),
    _file("01_enums"),
    _file("02_tables"),
    _file("03_new_tables"),
    ("set_aside", set_aside),
    ("backfill", backfill),
    _file("04_indexes"),
    ("bind", bind),
    _file("05_triggers"),
    _file("06_functions"),
    _file("07_policies"),
    ("count_again", lambda connection, _: report.count_after(connection)),
]


def upgrade(database_url: str, progress: Callable[[str, int, int], None]) -> Report:
    """Take a database from the platform's v1 to exactly its v2, with the old application at work.

    Interrupted anywhere and run again, it goes on where it was; run once more, it only reports. Who runs it
    while another does waits. No writer waits for longer than half a second or so; the old application works
    until the step ``05_triggers``, which is one short transaction, the new one from then on.

    Args:
        database_url: A v1 database, as for ``make_engine``, by the role that owns its tables; not through a
            transaction pooler.
        progress: Told of each step by name, how much of it is done, and of how much.

    Raises:
        TimeoutError: Somebody held a table for minutes. Nothing is lost; run it again.
    """
    with connect(database_url) as connection:
        journal.open_journal(connection)
        for name, work in _STEPS:
            if journal.begin(connection, name):
                work(connection, partial(progress, name))
                journal.finish(connection, name)
        return report.read_report(connection)
