"""What v2 forbids, made binding: every constraint validated, every column that may not be null marked so."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from psycopg import sql

from db.v1.session import locking

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.v1.session import Connection

_REQUIRED = "v1_require_"

# A unique constraint takes over an index that was built without a lock.
_UNIQUE = {
    "profiles": "profiles_stripe_customer_id_key",
    "step_instances": "step_instances_dossier_id_step_id_key",
    "document_versions": "document_versions_document_id_version_number_key",
}

_NOT_VALID = """
select c.relname, k.conname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.connamespace = 'public'::regnamespace and not k.convalidated
order by 1, 2
"""

_CHECKED = """
select c.relname, substr(k.conname, length(%(prefix)s) + 1)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.connamespace = 'public'::regnamespace and starts_with(k.conname, %(prefix)s)
order by 1, 2
"""


def bind(connection: Connection, progress: Callable[[int, int], None]) -> None:
    """Validate without a lock that a writer would feel; then mark, which needs no scan any more.

    Args:
        connection: In autocommit.
        progress: Told how many constraints are validated, of how many.
    """
    locking(
        connection,
        ["document_versions"],
        b"select fleet.v1_require('document_versions', 'version_number')",
    )
    constraints = connection.execute(_NOT_VALID).fetchall()
    for done, (table, name) in enumerate(constraints, start=1):
        connection.execute(
            sql.SQL("alter table {} validate constraint {}").format(_identifier(table), _identifier(name))
        )
        progress(done, len(constraints))

    checked: Any = connection.execute(_CHECKED, {"prefix": _REQUIRED}).fetchall()
    for table, rows in groupby(checked, key=lambda row: row[0]):
        locking(connection, [table], _mark(table, [column for _, column in rows]))
    for table, index in _UNIQUE.items():
        _make_unique(connection, table, index)


def _mark(table: str, columns: list[str]) -> sql.Composed:
    marked = [sql.SQL("alter column {} set not null").format(sql.Identifier(column)) for column in columns]
    dropped = [sql.SQL("drop constraint {}").format(sql.Identifier(_REQUIRED + column)) for column in columns]
    # Two statements: within one, the check would be gone before it could spare the scan.
    return sql.SQL("alter table {table} {}; alter table {table} {}").format(
        sql.SQL(", ").join(marked), sql.SQL(", ").join(dropped), table=sql.Identifier(table)
    )


def _make_unique(connection: Connection, table: str, index: str) -> None:
    there = connection.execute("select from pg_constraint where conname = %s", [index]).fetchone()
    if there is None:
        locking(
            connection,
            [table],
            sql.SQL("alter table {} add constraint {index} unique using index {index}").format(
                sql.Identifier(table), index=sql.Identifier(index)
            ),
        )


def _identifier(name: object) -> sql.Identifier:
    return sql.Identifier(str(name))
