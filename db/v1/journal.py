"""What the upgrade has done so far, kept in the database that it is done to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.v1.session import Connection

TABLES = """
create schema if not exists fleet;
revoke all on schema fleet from public;

create table if not exists fleet.v1_steps (
  name        text        primary key,
  started_at  timestamptz not null default now(),
  finished_at timestamptz
);

-- What: before and after the upgrade; made by it; or filled, followed by the column.
create table if not exists fleet.v1_counts (
  table_name text   not null,
  what       text   not null,
  rows       bigint not null,
  primary key (table_name, what)
);

create table if not exists fleet.set_aside (
  id         bigint      primary key generated always as identity,
  table_name text        not null,
  "row"      jsonb       not null,
  reason     text        not null,
  at         timestamptz not null default now()
);

-- For the way back: what a value was before a rule filled it, and the digest of what it became. Where the old
-- application has taken it away again, it was filled twice, and the later one counts.
create table if not exists fleet.v1_filled (
  number      bigint generated always as identity,
  table_name  text not null,
  column_name text not null,
  id          uuid not null,
  was         text,
  became      text not null
);
"""
"""The journal: how far the upgrade is, what it did, and what the way back needs to know."""


def open_journal(connection: Connection) -> None:
    """Make the tables of the journal where they are missing.

    Args:
        connection: In autocommit.
    """
    with connection.transaction():
        connection.execute(TABLES.encode())


def begin(connection: Connection, step: str) -> bool:
    """Note that a step begins, unless it is finished; tell whether it is to be done.

    Args:
        connection: In autocommit.
        step: Its name.
    """
    connection.execute("insert into fleet.v1_steps (name) values (%s) on conflict (name) do nothing", [step])
    unfinished = connection.execute(
        "select from fleet.v1_steps where name = %s and finished_at is null", [step]
    ).fetchone()
    return unfinished is not None


def finish(connection: Connection, step: str) -> None:
    """Note that a step is finished.

    Args:
        connection: In autocommit.
        step: Its name.
    """
    connection.execute("update fleet.v1_steps set finished_at = now() where name = %s", [step])


def add(connection: Connection, table: str, counts: Mapping[str, int]) -> None:
    """Add to a table's counts, in the connection's transaction.

    Args:
        connection: In the transaction that made the changes.
        table: The table.
        counts: How many more, by what.
    """
    for what, rows in counts.items():
        if rows:
            connection.execute(
                """
                insert into fleet.v1_counts as c (table_name, what, rows) values (%s, %s, %s)
                on conflict (table_name, what) do update set rows = c.rows + excluded.rows
                """,
                [table, what, rows],
            )
