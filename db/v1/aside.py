"""Rows that no rule can fit into v2, moved to ``fleet.set_aside`` with all that hangs on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import sql

from db.v1.session import batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from db.v1.session import Connection

_BATCH_ROWS = 1000

_CHILDREN = {
    "dossiers": [
        ("step_instances", "dossier_id"),
        ("dossier_status_history", "dossier_id"),
        ("messages", "dossier_id"),
        ("documents", "dossier_id"),
        ("notifications", "dossier_id"),
    ],
    "documents": [("document_versions", "document_id")],
    "document_versions": [("document_reviews", "document_version_id")],
    "notifications": [("notification_deliveries", "notification_id")],
}

# Of several instances of one step in one dossier, the one that got furthest stays.
_SURPLUS = """id in (
  select id from (
    select id, row_number() over (
      partition by dossier_id, step_id
      order by completed_at is null, started_at is null, started_at, id
    ) as place
    from step_instances
    where dossier_id is not null and step_id is not null
  ) as instances
  where place > 1
)"""

# A parent before its children: what goes with a parent says so.
_UNFILLABLE = [
    ("dossiers", "user_id is null", "it has no user"),
    ("step_instances", "dossier_id is null", "it has no dossier"),
    ("step_instances", "step_id is null", "it has no step"),
    ("step_instances", _SURPLUS, "the dossier has this step already"),
    ("dossier_status_history", "dossier_id is null", "it has no dossier"),
    ("messages", "dossier_id is null", "it has no dossier"),
    ("messages", "length(trim(content)) = 0", "it has no content"),
    ("documents", "dossier_id is null", "it has no dossier"),
    ("document_versions", "document_id is null", "it has no document"),
    ("document_reviews", "document_version_id is null", "it has no version of a document"),
    ("events", "length(trim(entity_type)) = 0", "it names no entity"),
    # By now each dossier has its user.
    ("notifications", "user_id is null and dossier_id is null", "it has neither a user nor a dossier"),
    ("notification_deliveries", "notification_id is null", "it has no notification"),
]


def set_aside(connection: Connection, progress: Callable[[int, int], None]) -> None:
    """Move all such rows.

    Args:
        connection: In autocommit.
        progress: Told how many kinds of rows are done, of how many.
    """
    for done, (table, condition, reason) in enumerate(_UNFILLABLE, start=1):
        _move(connection, table, condition, reason)
        progress(done, len(_UNFILLABLE))


def set_surplus_aside(connection: Connection) -> None:
    """Move the instances of a step that its dossier has already.

    Args:
        connection: In autocommit.
    """
    _move(connection, "step_instances", _SURPLUS, "the dossier has this step already")


def _move(connection: Connection, table: str, condition: str, reason: str) -> None:
    # Found outside the batch, whose settings are for small parts of a table, in one pass over it.
    query = f"select id from {table} where {condition}"  # noqa: S608 -- both from the list above
    ids: list[Any] = [row[0] for row in connection.execute(query.encode())]
    for start in range(0, len(ids), _BATCH_ROWS):
        part = ids[start : start + _BATCH_ROWS]
        batch(connection, table, partial(_move_rows, connection, table, part, reason))


def _move_rows(connection: Connection, table: str, ids: list[UUID], reason: str) -> None:
    _copy(connection, table, ids, reason)
    connection.execute(sql.SQL("delete from {} where id = any(%s)").format(sql.Identifier(table)), [ids])


def _copy(connection: Connection, table: str, ids: list[UUID], reason: str) -> None:
    """Copy rows, then those that their delete takes along; the locks keep new ones from joining them."""
    connection.execute(
        sql.SQL("""
            insert into fleet.set_aside (table_name, "row", reason)
            select %s, to_jsonb(t), %s
            from (select * from {} where id = any(%s) for update) as t
        """).format(sql.Identifier(table)),
        [table, reason, ids],
    )
    for child, key in _CHILDREN.get(table, ()):
        rows = connection.execute(
            sql.SQL("select id from {} where {} = any(%s)").format(
                sql.Identifier(child), sql.Identifier(key)
            ),
            [ids],
        )
        children: list[Any] = [row[0] for row in rows]
        if children:
            _copy(connection, child, children, f"it belongs to a row of {table} that was set aside")
