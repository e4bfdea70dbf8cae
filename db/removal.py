"""Take the fleet off a database without a trace: what it made, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import revisions
from db.catalogs import load
from db.locks import connected, patiently
from db.recognise import recognise

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.progress import Progress

_OPEN_WORK = {
    "rows that the upgrade from v1 has set aside": "select count(*) from fleet.set_aside",
    "events not yet fanned out": "select count(*) from fleet.outbox",
    "deliveries not yet sent": "select count(*) from fleet.dispatch",
    "sends of unknown outcome": "select count(*) from fleet.attempts where closed_at is null",
    "callbacks not yet worked off": "select count(*) from fleet.inbox where handled_at is null",
}

_TABLES = """
select format('fleet.%I', relname) from pg_class
where relnamespace = 'fleet'::regnamespace and relkind in ('r', 'p') order by relname
"""

_FUNCTIONS = "select oid::regprocedure::text from pg_proc where pronamespace = 'fleet'::regnamespace"


class InUseError(Exception):
    """Something that is not the fleet's depends on what is. Nothing was changed."""


def losses(database_url: str) -> dict[str, int]:
    """Count what ``remove`` would lose for good: open work first, then the rows of each table.

    Args:
        database_url: As for ``make_engine``.
    """
    with connected(database_url) as connection:
        if connection.scalar(text("select to_regclass('fleet.schema_version') is null")):
            return {}
        tables = connection.scalars(text(_TABLES)).all()
        queries = {what: query for what, query in _OPEN_WORK.items() if query.split()[3] in tables} | {
            f"rows of {table}": f"select count(*) from {table}"  # noqa: S608 - quoted by PostgreSQL
            for table in tables
            if table not in {"fleet.schema_version", "fleet.installation"}
        }
        counts = {what: int(connection.scalar(text(query)) or 0) for what, query in queries.items()}
    return {what: count for what, count in counts.items() if count}


def rows(database_url: str) -> dict[str, int]:
    """Count the rows of each of the platform's tables that has any.

    Args:
        database_url: As for ``make_engine``.
    """
    with connected(database_url) as connection:
        counts = {
            table: int(connection.scalar(text(f"select count(*) from public.{table}")) or 0)  # noqa: S608 - ours
            for table in load("v2")["tables"]
        }
    return {table: count for table, count in counts.items() if count}


def remove(database_url: str, progress: Progress) -> bool:
    """Drop the fleet's triggers and its schema, all or nothing.

    The platform's part is then as it would be without the fleet; what ``db.harden`` has closed is open again.

    Args:
        database_url: As for ``make_engine``.
        progress: Told of each try that found a table locked.

    Returns:
        Whether there was anything to remove.

    Raises:
        InUseError: Something that is not the fleet's depends on what is.
        BusyError: The platform's tables were in use all the time.
    """
    try:
        return patiently(database_url, _remove, progress)
    except DBAPIError as error:
        if not isinstance(error.orig, errors.DependentObjectsStillExist):
            raise
        told = (error.orig.diag.message_detail or str(error.orig)).splitlines()
        raise InUseError(
            f"Nothing was changed. Drop this first, it is not the fleet's: {'; '.join(told)}"
        ) from error


def _remove(connection: Connection) -> bool:
    found = recognise(connection)
    if found.revision is None:
        return False
    if revisions.pending(revisions.PLATFORM, found.revision):
        command.downgrade(revisions.config(connection=connection), revisions.PLATFORM)
    # What is left: Alembic's own table, and what an upgrade from v1 has kept. Without cascade: what others
    # have hung onto it is theirs.
    connection.execute(text(f"drop table {', '.join(connection.scalars(text(_TABLES)))}"))
    for function in connection.scalars(text(_FUNCTIONS)).all():
        connection.execute(text(f"drop routine {function}"))
    connection.execute(text("drop schema fleet"))
    return True
