"""Closing the platform's holes: what a client could change, read or delete, and should not.

Every measure looks first whether it is needed, and is remembered in ``fleet.hardened`` when it was taken, so
that exactly what was done can be undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from db.measures import CLOSED_TABLES, HARDENED_POLICIES, measures

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["CLOSED_TABLES", "HARDENED_POLICIES", "harden", "soften"]

_MEMORY = """
create table if not exists fleet.hardened (
  measure  text        primary key,
  taken_at timestamptz not null default now()
)
"""

# A client's statement waits behind ours in the queue for the lock: better to give up than to hold everybody.
_LOCK_TIMEOUT = "3s"


def harden(connection: Connection, *, dry_run: bool = False) -> list[str]:
    """Take every measure that is still to be taken.

    Args:
        connection: Of the owner of the platform's tables; neither committed nor rolled back here.
        dry_run: Only tell; no lock is taken.

    Returns:
        What was done, or would be, in words; empty where nothing is left to do.

    Raises:
        ValueError: The fleet has not been put on this database.
    """
    if connection.scalar(text("select to_regclass('fleet.installation') is null")):
        raise ValueError("The fleet has not been put on this database: run fleet db upgrade first.")
    needed = [m for m in measures() if not connection.scalar(text(f"select {m.done}"))]
    if dry_run or not needed:
        return [measure.what for measure in needed]
    connection.execute(text("select set_config('lock_timeout', :wait, true)"), {"wait": _LOCK_TIMEOUT})
    _run(connection, _MEMORY)
    for measure in needed:
        _run(connection, measure.do)
        connection.execute(
            text("insert into fleet.hardened (measure) values (:what) on conflict do nothing"),
            {"what": measure.what},
        )
    return [measure.what for measure in needed]


def soften(connection: Connection) -> list[str]:
    """Take back what ``harden`` has done on this database, and nothing that was there before it.

    Privileges that were revoked are not given back: nobody needs them.

    Args:
        connection: As for ``harden``.

    Returns:
        What was taken back, in words.
    """
    if connection.scalar(text("select to_regclass('fleet.hardened') is null")):
        return []
    taken = set(connection.scalars(text("select measure from fleet.hardened")))
    undone = []
    for measure in reversed(measures()):
        if measure.what in taken and measure.undo:
            _run(connection, measure.undo)
            undone.append(measure.what)
    _run(connection, "drop table fleet.hardened")
    return undone


def _run(connection: Connection, script: str) -> None:
    # Several statements in one string, and % or : that mean themselves, need a call without parameters.
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})
