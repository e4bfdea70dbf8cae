"""The database examined: does it answer, is it current, may we, is it closed, is the timetable kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from db import check as checking
from db import migrate, rights
from db.locks import connected
from db.pooling import keeps_sessions
from db.queries import schedule
from db.recognise import Kind
from schedules.standing import standing
from workers.diagnosis import Diagnosis, State, skew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from schedules.timetable import Entry

OLDEST: Final = 140000
"""PostgreSQL 14, as a server tells its version."""

CLOCK_MOST: Final = timedelta(seconds=5)
"""What is due and what is leased is told by both clocks, and the shortest lease is longer than this."""


@dataclass(frozen=True)
class DatabaseDoctor:
    """Looks at a database, and changes nothing in it.

    Attributes:
        url: As for ``make_engine``.
        entries: The timetable.
        clock: Gives the time, aware, UTC.
    """

    url: str
    entries: Sequence[Entry]
    clock: Callable[[], datetime]

    def look(self) -> Iterator[Diagnosis]:
        """Everything; no further than to what makes the rest meaningless."""
        try:
            with connected(self.url) as connection:
                yield _version(connection)
                yield self._skew(connection)
            yield _pooler(kept=keeps_sessions(self.url))
        except (OperationalError, psycopg.OperationalError) as error:
            mend = "start PostgreSQL, or correct DATABASE_URL"
            yield Diagnosis("database", State.AWAY, f"it does not answer: {_first_line(error)}", mend)
            return
        try:
            yield from self._inside()
        except DBAPIError as error:
            mend = (
                "as the owner of the tables: fleet db upgrade, and fleet db role for the role in DATABASE_URL"
            )
            yield Diagnosis("schema", State.FAULT, f"it can't be read: {_first_line(error)}", mend)

    def _skew(self, connection: Connection) -> Diagnosis:
        asked = self.clock()
        theirs: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
        return skew("the database", theirs, asked, self.clock(), CLOCK_MOST)

    def _inside(self) -> Iterator[Diagnosis]:
        schema = self._schema()
        yield schema
        with connected(self.url) as connection:
            connection.execute(text("set transaction read only"))
            yield from _rights(connection)
            if schema.state is not State.OK:
                yield Diagnosis("schedule", State.SKIPPED, "the schema is to be mended first")
                return
            yield from _deviations(connection)
            yield from _schedule(connection, self.entries, self.clock())

    def _schema(self) -> Diagnosis:
        found = migrate.look(self.url)
        told = f"the database is {found.title}"
        if found.kind is Kind.UNKNOWN:
            obstacles = "; ".join(found.obstacles)
            return Diagnosis(
                "schema", State.FAULT, f"{told}: {obstacles}", "fleet db status; docs/operations.md"
            )
        steps = migrate.steps(found)
        if steps:
            mend = "fleet db upgrade --dry-run, then fleet db upgrade"
            return Diagnosis("schema", State.FAULT, f"{told}; to be done: {'; '.join(steps)}", mend)
        return Diagnosis("schema", State.OK, told)


def _version(connection: Connection) -> Diagnosis:
    number = int(connection.execute(text("show server_version_num")).scalar_one())
    told = f"PostgreSQL {number // 10000}.{number % 10000} answers"
    if number < OLDEST:
        return Diagnosis("database", State.FAULT, told, "take PostgreSQL 14 or newer")
    return Diagnosis("database", State.OK, told)


def _pooler(*, kept: bool) -> Diagnosis:
    if kept:
        return Diagnosis("pooler", State.OK, "none, or a session pooler: notifications come through")
    told = "a transaction pooler: notifications do not come through, and the relay asks every 0.2 s instead"
    mend = "nothing must be done; a direct DATABASE_URL for fleet relay alone is quicker (docs/operations.md)"
    return Diagnosis("pooler", State.ADVICE, told, mend)


def _rights(connection: Connection) -> Iterator[Diagnosis]:
    role = rights.who(connection)
    missing = rights.missing(connection)
    for what in missing:
        yield Diagnosis("rights", State.FAULT, f"{role} lacks: {what}", f"as the owner: fleet db role {role}")
    if missing:
        return
    if rights.is_owner(connection):
        mend = "fleet db role fleet_worker makes a role that may do less (docs/security.md)"
        yield Diagnosis("rights", State.ADVICE, f"{role} may do what the tables' owner may", mend)
    else:
        yield Diagnosis("rights", State.OK, f"{role} may do what the fleet does")


def _deviations(connection: Connection) -> Iterator[Diagnosis]:
    found = [each for each in checking.check(connection) if each.kind != "information"]
    for each in found:
        state = State.FAULT if each.kind == "drift" else State.ADVICE
        yield Diagnosis(each.kind, state, f"{each.object}: {each.what}", each.mend)
    if not found:
        yield Diagnosis("holes", State.OK, "none, and the schema is as the program expects it")


def _schedule(connection: Connection, entries: Sequence[Entry], now: datetime) -> Iterator[Diagnosis]:
    rows = schedule.read(Session(connection))
    mend = "start fleet beat, and fleet worker on every queue; fleet schedule shows the last runs"
    standings = (standing(entry, rows.get(entry.name), now) for entry in entries)
    silent = [at for at in standings if at.silent]
    if not rows:
        yield Diagnosis("schedule", State.FAULT, "no tick has ever come", mend)
    elif not silent:
        yield Diagnosis("schedule", State.OK, "every entry of the timetable is on time")
    for at in silent:
        told = f"{at.entry.name} is overdue by {at.late.total_seconds():.0f} s"
        yield Diagnosis("schedule", State.FAULT, told, mend)


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).splitlines() or [type(cause).__name__])[0]
