"""Put the fleet on a database, whichever of the platform's it is, and keep it up to date.

Alembic keeps its context in module globals: within one process, one database at a time.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from alembic import command
from sqlalchemy import text

from db import revisions, role, sqlfiles, v1
from db.harden import harden
from db.locks import LOCK_TIMEOUT_MS, BusyError, alone_for_long, connected, patiently
from db.pooling import PooledError, keeps_sessions
from db.progress import quiet
from db.recognise import Kind, Recognition, recognise

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationInfo
    from sqlalchemy import Connection

    from db.progress import Progress
    from db.v1 import Report

VERSION_TABLE: dict[str, Any] = {"version_table": "schema_version", "version_table_schema": "fleet"}


class NotRecognisedError(Exception):
    """The database is none that the fleet can be put on. Nothing was changed.

    Attributes:
        recognition: With the obstacles.
    """

    def __init__(self, recognition: Recognition) -> None:
        self.recognition = recognition
        obstacles = "; ".join(recognition.obstacles)
        super().__init__(f"The database is {recognition.title}; nothing was changed. {obstacles}")


def look(database_url: str) -> Recognition:
    """Tell what a database is, in a transaction that can't write.

    Args:
        database_url: As for ``make_engine``.
    """
    with connected(database_url) as connection:
        connection.execute(text("set transaction read only"))
        return recognise(connection)


def steps(found: Recognition, revision: str = "head") -> list[str]:
    """Tell what ``upgrade`` would do, one readable line each; none where there is nothing to do.

    Args:
        found: What the database is.
        revision: Where to end.

    Raises:
        NotRecognisedError: It would refuse.
    """
    _accepted(found)
    todo = [f"run revision {each}" for each in revisions.pending(_from(found), revision)]
    if found.kind is Kind.V1:
        begin = "go on to take" if found.interrupted else "take"
        todo.insert(0, f"{begin} the platform's tables from v1 to v2, in steps that commit one by one")
    elif found.kind is not Kind.EMPTY and found.revision is None:
        todo.insert(0, "adopt the platform's tables as they are")
    return todo


def upgrade(database_url: str, revision: str = "head", progress: Progress = quiet) -> Report | None:
    """Bring the database up to a revision.

    From v1 in steps that are taken up again where they were left; all else is all or nothing. Who comes while
    another is at it waits, and then finds nothing left to do.

    Args:
        database_url: As for ``make_engine``.
        revision: Where to end.
        progress: Told how far it is.

    Returns:
        What became of the rows, where the database was of v1.

    Raises:
        NotRecognisedError: The database is none that the fleet can be put on.
        BusyError: The platform's tables were in use all the time.
        PooledError: The database is of v1, and behind a transaction pooler.
        TimeoutError: As BusyError, on the way from v1. Run again, it goes on where it was.
    """
    report = None
    if _accepted(look(database_url)).kind is Kind.V1:
        if not keeps_sessions(database_url):
            raise PooledError(
                "The way from v1 needs a direct connection to PostgreSQL, or a session pooler's; "
                "this DATABASE_URL is a transaction pooler's. Nothing was changed."
            )
        with alone_for_long(database_url):
            # Whoever held the lock before may have done it all.
            if look(database_url).kind is Kind.V1:
                report = _from_v1(database_url, progress)
    patiently(database_url, lambda connection: _upgrade(connection, revision, progress), progress)
    return report


def downgrade(database_url: str, revision: str, progress: Progress = quiet) -> None:
    """Take the database back to a revision, all or nothing. What the later ones held is lost.

    Args:
        database_url: As for ``make_engine``.
        revision: Where to end; ``base`` undoes all.
        progress: As for ``upgrade``.
    """
    patiently(
        database_url,
        lambda connection: command.downgrade(revisions.config(connection=connection), revision),
        progress,
    )


def current(database_url: str) -> str | None:
    """Tell the revision that the database is at; None where no migration ever ran.

    Args:
        database_url: As for ``make_engine``.
    """
    return look(database_url).revision


def script(found: Recognition, revision: str = "head") -> str:
    """Give the SQL that ``upgrade`` would run.

    Args:
        found: What the database is.
        revision: Where to end.

    Raises:
        NotRecognisedError: It would refuse.
    """
    _accepted(found)
    output = io.StringIO()
    output.write(f"set lock_timeout = {LOCK_TIMEOUT_MS};\n\n")
    if found.kind is Kind.V1:
        output.write("-- Between these files, fleet db upgrade fills the rows in small batches.\n\n")
        output.writelines(f"{each}\n" for each in sqlfiles.read("v1"))
    at = _from(found)
    if found.revision is None and at:
        command.stamp(revisions.config(output), at, sql=True)
    if revisions.pending(at, revision):
        command.upgrade(revisions.config(output), f"{at or 'base'}:{revision}", sql=True)
    return output.getvalue()


def _upgrade(connection: Connection, revision: str, progress: Progress) -> None:
    found = _accepted(recognise(connection))
    if found.kind is Kind.V1:
        raise BusyError("Somebody has just made this a database of v1. Run it again.")
    at = _from(found)
    if found.revision is None and at:
        command.stamp(revisions.config(connection=connection), at)
    pending = revisions.pending(at, revision)
    if not pending:
        return

    def told(*, step: MigrationInfo, **_: Any) -> None:
        done = pending.index(str(step.up_revision_id)) + 1
        progress("revisions", done, len(pending))

    progress("revisions", 0, len(pending))
    command.upgrade(revisions.config(connection=connection, on_version_apply=told), revision)
    if connection.scalar(text("select to_regclass('fleet.installation') is not null")):
        # What the platform built itself is closed only when somebody asks for it: fleet db harden.
        if found.kind is Kind.EMPTY or connection.scalar(
            text("select to_regclass('fleet.v1_steps') is not null")
        ):
            harden(connection)
        role.refresh(connection)


def _from_v1(database_url: str, progress: Progress) -> Report:
    report = v1.upgrade(database_url, progress)
    patiently(
        database_url,
        lambda connection: command.stamp(revisions.config(connection=connection), revisions.PLATFORM),
        progress,
    )
    return report


def _from(found: Recognition) -> str | None:
    """The revision that Alembic begins after."""
    return None if found.kind is Kind.EMPTY else found.revision or revisions.PLATFORM


def _accepted(found: Recognition) -> Recognition:
    if found.kind is Kind.UNKNOWN:
        raise NotRecognisedError(found)
    return found
