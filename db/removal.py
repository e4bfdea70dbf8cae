"""Take the fleet off a database without a trace, what it made and nothing else; and v2 back to v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from alembic import command
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import revisions
from db.catalogs import load
from db.locks import BusyError, connected, patiently
from db.recognise import Kind, recognise
from db.v1.back import go_back, lock
from db.v1.losses import LossError
from db.v1.losses import losses as losses_of_v2

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from db.progress import Progress
    from db.recognise import Recognition
    from db.v1.losses import Loss

T = TypeVar("T")

_OPEN_WORK = {
    "rows that the upgrade from v1 has set aside": "select count(*) from fleet.set_aside",
    "events not yet fanned out": "select count(*) from fleet.outbox",
    "deliveries not yet sent": "select count(*) from fleet.dispatch",
    "sends of unknown outcome": "select count(*) from fleet.attempts where closed_at is null",
    "callbacks not yet worked off": "select count(*) from fleet.inbox where handled_at is null",
}

# What the way back to v1 gives back to the platform's tables.
_GIVEN_BACK = frozenset({"fleet.set_aside", "fleet.v1_counts", "fleet.v1_filled", "fleet.v1_steps"})

V2 = (Kind.V2_UNMANAGED, Kind.V2_MANAGED, Kind.V2_WITH_ADDITIONS)
"""Databases that may go back to v1."""

_TABLES = """
select format('fleet.%I', relname) from pg_class
where relnamespace = 'fleet'::regnamespace and relkind in ('r', 'p') order by relname
"""

_FUNCTIONS = "select oid::regprocedure::text from pg_proc where pronamespace = 'fleet'::regnamespace"


class InUseError(Exception):
    """Something that is not the fleet's depends on what is. Nothing was changed."""


def losses(database_url: str, *, to_v1: bool = False) -> dict[str, int]:
    """Count what is the fleet's own and would be lost for good: open work first, then the rows of each table.

    Args:
        database_url: As for ``make_engine``.
        to_v1: By ``back_to_v1``, and not by ``remove``.
    """
    kept = {"fleet.schema_version", "fleet.installation"} | (_GIVEN_BACK if to_v1 else set())
    with connected(database_url) as connection:
        if connection.scalar(text("select to_regclass('fleet.schema_version') is null")):
            return {}
        tables = [table for table in connection.scalars(text(_TABLES)) if table not in kept]
        queries = {what: query for what, query in _OPEN_WORK.items() if query.split()[3] in tables} | {
            f"rows of {table}": f"select count(*) from {table}"  # noqa: S608 - quoted by PostgreSQL
            for table in tables
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
    return _unless_in_use(database_url, _remove, progress)


def v1_losses(database_url: str) -> list[Loss]:
    """List what of the platform's ``back_to_v1`` would lose, and refuses to. Reads only.

    Args:
        database_url: A database of v2, as for ``make_engine``.
    """
    with connected(database_url) as connection:
        connection.execute(text("set transaction read only"))
        return losses_of_v2(connection, recognise(connection))


def back_to_v1(database_url: str, progress: Progress) -> None:
    """Take the fleet off and the platform's tables back from v2 to v1, in one transaction.

    All tables are locked from its beginning to its end, and those with an enum that has more values in v2 are
    written anew. What the upgrade from v1 has filled in, made or set aside is again as it was.

    Args:
        database_url: A database of v2, managed or not, as for ``make_engine``.
        progress: Told of the stages, and of each try that found a table locked.

    Raises:
        LossError: Something would be lost. Nothing was changed.
        InUseError: Something that is not the fleet's depends on what would go.
        BusyError: The platform's tables were in use all the time.
    """
    _unless_in_use(database_url, lambda connection: _back_to_v1(connection, progress), progress)


def _back_to_v1(connection: Connection, progress: Progress) -> None:
    _of_v2(recognise(connection))
    lock(connection)
    # Only now is it certain that nothing comes after the look.
    found = _of_v2(recognise(connection))
    if lost := losses_of_v2(connection, found):
        raise LossError(lost)
    if found.revision is not None:
        _lift(connection, found.revision)
    go_back(connection, progress)
    _clear(connection)


def _of_v2(found: Recognition) -> Recognition:
    if found.kind not in V2:
        raise BusyError(f"The database is {found.title}; only one of v2 goes back to v1.")
    return found


def _remove(connection: Connection) -> bool:
    found = recognise(connection)
    if found.revision is None:
        return False
    _lift(connection, found.revision)
    _clear(connection)
    return True


def _lift(connection: Connection, revision: str) -> None:
    if revisions.pending(revisions.PLATFORM, revision):
        command.downgrade(revisions.config(connection=connection), revisions.PLATFORM)


def _clear(connection: Connection) -> None:
    """Drop what is left: Alembic's own table, and what an upgrade from v1 has kept.

    Without cascade: what others have hung onto it is theirs.
    """
    connection.execute(text(f"drop table {', '.join(connection.scalars(text(_TABLES)))}"))
    for function in connection.scalars(text(_FUNCTIONS)).all():
        connection.execute(text(f"drop routine {function}"))
    connection.execute(text("drop schema fleet"))


def _unless_in_use(database_url: str, work: Callable[[Connection], T], progress: Progress) -> T:
    try:
        return patiently(database_url, work, progress)
    except DBAPIError as error:
        # The second is what a view on a column says when the column's type is to change.
        if not isinstance(error.orig, errors.DependentObjectsStillExist | errors.FeatureNotSupported):
            raise
        told = (error.orig.diag.message_detail or str(error.orig)).splitlines()
        raise InUseError(
            f"Nothing was changed. Drop this first, it is not the fleet's: {'; '.join(told)}"
        ) from error
