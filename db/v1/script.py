"""The SQL files of the upgrade, run block by block.

A comment line begins a block and tells how it is run:

- ``-- @transaction``: in one transaction
- ``-- @locking a, b``: in one transaction that holds these tables for itself
- ``-- @alone``: each paragraph is a statement that PostgreSQL wants outside a transaction

Every block may be run again, and so may a file that was interrupted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import errors, sql

from db.v1.session import locking

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.v1.session import Connection

_FOLDER = Path(__file__).parents[1] / "sql" / "v1"
_BLOCK = re.compile(r"^-- @(transaction|locking|alone)(.*)$", re.MULTILINE)
_INDEX = re.compile(r"create (?:unique )?index concurrently if not exists (\w+)")


def run(connection: Connection, name: str, progress: Callable[[int, int], None]) -> None:
    """Run a file.

    Args:
        connection: In autocommit.
        name: The file's, without ``.sql``.
        progress: Told how many blocks are done, of how many.
    """
    _, *parts = _BLOCK.split((_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
    blocks = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    for number, (kind, argument, body) in enumerate(blocks, start=1):
        if kind == "alone":
            for statement in filter(None, map(_statement, body.split("\n\n"))):
                alone(connection, statement)
        elif kind == "locking":
            locking(connection, [table.strip() for table in argument.split(",")], body.encode())
        else:
            with connection.transaction():
                connection.execute(body.encode())
        progress(number, len(blocks))


def alone(connection: Connection, statement: str) -> None:
    """Run a statement outside a transaction; where it builds an index, after clearing a half-built one away.

    Args:
        connection: In autocommit.
        statement: One that does nothing where it is done already.

    Raises:
        psycopg.errors.UniqueViolation: A unique index was to be built on rows that are not; nothing is left.
    """
    index = _INDEX.match(statement)
    if index:
        _clear(connection, index[1])
    try:
        connection.execute(statement.encode())
    except errors.Error:
        if index:
            _clear(connection, index[1])
        raise


def _clear(connection: Connection, index: str) -> None:
    half_built = connection.execute(
        "select from pg_index where indexrelid = to_regclass(%s) and not indisvalid", [f"public.{index}"]
    ).fetchone()
    if half_built is not None:
        connection.execute(sql.SQL("drop index concurrently {}").format(sql.Identifier("public", index)))


def _statement(paragraph: str) -> str:
    lines = paragraph.strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))
