"""Who may do what with which table, found out by doing it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg.errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.privileges import MARKS, WORKS_WITH
from tests.security.supabase import become

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from sqlalchemy import Connection

VERBS = "riudt"
"""Read, insert, update, delete, truncate."""

# What each table is updated with: the column that its user would change first, or one as good as any.
_CHANGES = {
    "profiles": "full_name = 'Camille Autre'",
    "agents": "name = 'Autre'",
    "products": "price_amount = 1",
    "steps": "label = 'Autre'",
    "product_steps": "is_required = false",
    "step_fields": "label = 'Autre'",
    "document_types": "label = 'Autre'",
    "dossiers": "status = 'COMPLETED'",
    "dossier_status_history": "reason = 'Autre'",
    "step_instances": "completed_at = now()",
    "step_field_values": "value = 'Autre'",
    "messages": "content = 'Autre'",
    "documents": "status = 'APPROVED'",
    "document_versions": "file_name = 'autre.pdf'",
    "document_reviews": "reason = 'Autre'",
    "payment_links": "used_at = now()",
    "orders": "amount = 1",
    "payment_reminders": "clicked_at = now()",
    "events": "payload = '{}'",
    "notifications": "read_at = now()",
    "notification_deliveries": "provider = 'autre'",
}

_COLUMNS = {
    "profiles.status": "SUSPENDED",
    "profiles.stripe_customer_id": "cus_other",
    "step_field_values.created_by_type": "AGENT",
    "messages.sender_type": "AGENT",
    "documents.status": "APPROVED",
    "document_versions.uploaded_by_type": "AGENT",
    "notifications.title": "Autre",
}
"""Columns apart: a value that is inserted, and that the row is updated with."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who does something with the rows of one client."""

    name: str
    role: str
    user_id: UUID | None = None


def measure(connection: Connection, actors: list[Actor], rows: Mapping[str, UUID]) -> str:
    """Give the matrix as a Markdown table.

    Args:
        connection: Of a superuser; nothing of what is tried stays.
        actors: Those who try, from left to right.
        rows: For each table of the platform, the id of a row that is the client's as far as it can be.
    """
    lines = [
        "| | " + " | ".join(actor.name for actor in actors) + " |",
        "| --- |" + " --- |" * len(actors),
    ]
    for table, change in _CHANGES.items():
        record = _record(connection, table, rows[table])
        cells = (_attempts(connection, actor, table, record, change) for actor in actors)
        lines.append(_line(table, cells))
    for name, value in _COLUMNS.items():
        table, column = name.split(".")
        record = _record(connection, table, rows[table])
        cells = (_says(connection, actor, table, record, column, value) for actor in actors)
        lines.append(_line(name, cells))
    lines.append(_line("auth.users: id, email", (_addresses(connection, actor) for actor in actors)))
    for name, tables in (("queues and records", WORKS_WITH), ("marks", MARKS), ("hardened", ("hardened",))):
        cells = (_granted(connection, actor, tables) for actor in actors)
        lines.append(_line(f"fleet: {name}", cells))
    return "\n".join(lines) + "\n"


def _line(name: str, cells: Iterator[str]) -> str:
    return f"| {name} | " + " | ".join(cell or "-" for cell in cells) + " |"


def _attempts(connection: Connection, actor: Actor, table: str, record: dict[str, Any], change: str) -> str:
    row_id = record["id"]
    tries = {
        "r": lambda: _try(connection, actor, f"select 1 from public.{table} where id = :id", id=row_id),
        "i": lambda: _insert(connection, actor, table, record),
        "u": lambda: _update(connection, actor, table, row_id, change),
        "d": lambda: _try(connection, actor, f"delete from public.{table} where id = :id", id=row_id),
        "t": lambda: _try(connection, actor, f"truncate public.{table} cascade"),
    }
    return "".join(verb for verb in VERBS if tries[verb]())


def _says(
    connection: Connection, actor: Actor, table: str, record: dict[str, Any], column: str, value: str
) -> str:
    inserted = _insert(connection, actor, table, record | {column: value})
    updated = _update(connection, actor, table, record["id"], f"{column} = '{value}'")
    return "i" * inserted + "u" * updated


def _update(connection: Connection, actor: Actor, table: str, row_id: str, change: str) -> bool:
    return _try(connection, actor, f"update public.{table} set {change} where id = :id", id=row_id)


def _insert(connection: Connection, actor: Actor, table: str, record: dict[str, Any]) -> bool:
    """Insert the very row, which is taken out first without anything that hangs on it."""
    with _undone(connection):
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.execute(text(f"delete from public.{table} where id = :id"), {"id": record["id"]})
        connection.exec_driver_sql("set local session_replication_role = origin")
        return _try(
            connection,
            actor,
            f"insert into public.{table}"
            f" select * from jsonb_populate_record(null::public.{table}, cast(:record as jsonb))",
            record=json.dumps(record),
        )


def _try(connection: Connection, actor: Actor, statement: str, **values: object) -> bool:
    """Whether a statement does what it says: neither refused nor without a row to do it to."""
    with _undone(connection):
        become(connection, actor.role, actor.user_id)
        try:
            result: Any = connection.execute(text(statement), values)
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                return False
            # The right was there: what stands against it is another row.
            if isinstance(error.orig, (psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation)):
                return True
            raise
        # TRUNCATE counts no rows.
        return bool(result.rowcount)


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def _record(connection: Connection, table: str, row_id: UUID) -> dict[str, Any]:
    found = connection.execute(
        text(f"select to_jsonb(t) from public.{table} t where id = :id"), {"id": row_id}
    )
    record: dict[str, Any] = found.scalar_one()
    return record


def _addresses(connection: Connection, actor: Actor) -> str:
    return "r" if _try(connection, actor, "select id, email from auth.users") else ""


def _granted(connection: Connection, actor: Actor, tables: tuple[str, ...]) -> str:
    """What is granted on all of these tables of the fleet's."""
    statement = text("""
        select has_schema_privilege(:role, 'fleet', 'USAGE')
          and bool_and(has_table_privilege(:role, c.oid, :verb))
        from pg_class c
        where c.relnamespace = 'fleet'::regnamespace and c.relname = any(:tables)""")
    verbs = dict(zip(VERBS, ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"), strict=True))
    values = {"role": actor.role, "tables": list(tables)}
    return "".join(v for v, verb in verbs.items() if connection.scalar(statement, values | {"verb": verb}))
