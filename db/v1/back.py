"""The way back from v2 to v1, for a database that holds nothing that v1 has no place for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from db import catalog, sqlfiles
from db.catalogs import load
from db.v1 import journal
from db.v1.shape import bind, columns, enums, loosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from db.catalog import Catalog
    from db.progress import Progress


def lock(connection: Connection) -> None:
    """Hold all the platform's tables until the end of the transaction, so that nobody writes any more.

    Args:
        connection: With a short ``lock_timeout``.
    """
    tables = ", ".join(f"public.{table}" for table in load("v2")["tables"])
    _run(connection, [f"lock table {tables} in access exclusive mode"])


def go_back(connection: Connection, progress: Progress) -> None:
    """Give the platform's tables v1's shape, and the rows what they were before the upgrade.

    Values that somebody has changed since the upgrade stay as they are; what was set aside is back in its
    place. ``fleet.set_aside`` and the journal have served then, and may go.

    Args:
        connection: In a transaction that has the locks and has seen no losses; the fleet's part is gone.
        progress: Told how many stages are done, of how many.

    Raises:
        RuntimeError: The schema would not be v1's. Roll back.
    """
    v1 = load("v1")
    steps, rows = sqlfiles.read("v1_back")
    _run(connection, ["set local search_path = public, pg_temp", journal.TABLES])
    stages: list[Callable[[Catalog], Iterable[str]]] = [
        partial(loosen, v1),
        lambda _: [steps],
        partial(columns, v1),
        lambda _: [rows],
        partial(enums, v1),
        partial(bind, v1),
    ]
    for done, stage in enumerate(stages):
        progress("back to v1", done, len(stages))
        _run(connection, stage(catalog.read(connection)))
    differences = catalog.differences(v1, catalog.read(connection))
    if differences:
        raise RuntimeError(f"The schema would not be v1's; nothing was changed: {'; '.join(differences)}")
    progress("back to v1", len(stages), len(stages))


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        # Several statements in one string, and % or : that mean themselves, need a call without parameters.
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
