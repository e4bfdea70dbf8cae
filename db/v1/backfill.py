"""The values that v2 wants and v1 rows lack, filled a few thousand rows a transaction.

The rules are triggers, see ``db/sql/v1/02_tables.sql``: an update that changes nothing lets them fill a row.
A table is walked by the pages of its file. A row that a writer moves behind the walk's back has gone through
the trigger by being written, and so is filled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from db.v1 import aside, journal, script
from db.v1.session import batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from db.v1.session import Connection

# Some four to eight thousand rows: a tenth of a second or two, and no writer of theirs waits for longer.
_PAGES = 64
# Where each row brings rows of other tables along.
_WALK_PAGES = 16

_INDEX = """
create unique index concurrently if not exists step_instances_dossier_id_step_id_key
  on step_instances (dossier_id, step_id)
"""
_INDEX_TRIES = 5

_NULL = "{} is null"
_BLANK = "length(trim(coalesce({}, ''))) = 0"

# What a rule fills, and when the value is missing.
_COLUMNS: dict[str, dict[str, str]] = {
    "agents": dict.fromkeys(("name", "created_at", "updated_at"), _NULL),
    "steps": {"label": _NULL},
    "document_types": {"label": _NULL},
    "profiles": dict.fromkeys(("created_at", "updated_at"), _NULL),
    "dossiers": dict.fromkeys(("created_at", "updated_at"), _NULL),
    "step_instances": {"created_at": _NULL, "started_at": "completed_at < {}"},
    "dossier_status_history": {
        "created_at": _NULL,
        "changed_by_type": "{} is null and changed_by is not null",
    },
    "messages": dict.fromkeys(("sender_type", "sender_id", "created_at"), _NULL),
    "documents": dict.fromkeys(("document_type_id", "status", "created_at", "updated_at"), _NULL),
    "document_versions": dict.fromkeys(
        ("uploaded_by_type", "uploaded_by", "uploaded_at", "version_number"), _NULL
    ),
    "document_reviews": dict.fromkeys(("reviewer_id", "reviewed_at"), _NULL),
    "events": {"created_at": _NULL},
    "notifications": dict.fromkeys(("user_id", "title", "message", "created_at"), _NULL),
    "notification_deliveries": {"recipient": _BLANK, "status": _NULL, "created_at": _NULL},
}

_NUMBER = """
with numbered as (
  select v.id, v.document_id, row_number() over (
    partition by v.document_id order by coalesce(v.uploaded_at, d.created_at), v.id
  ) as number
  from document_versions v
  join documents d on d.id = v.document_id
  where v.document_id in (
    select document_id from document_versions where document_id = any(%(ids)s) and version_number is null
  )
),
versions as (
  update document_versions v set version_number = n.number from numbered n where v.id = n.id
)
update documents d
set current_version_id = n.id
from (select distinct on (document_id) document_id, id from numbered order by document_id, number desc) as n
where d.id = n.document_id
"""

_UNKNOWN_STEP = (
    "current_step_id is not null and not exists (select from steps where steps.id = current_step_id)"
)

_CURRENT_STEPS = (
    f"""
    insert into fleet.set_aside (table_name, "row", reason)
    select
      'dossiers.current_step_id',
      jsonb_build_object('id', id, 'current_step_id', current_step_id),
      'there is no such step'
    from dossiers where id = any(%(ids)s) and {_UNKNOWN_STEP}
    """,  # noqa: S608 -- the constant above
    f"update dossiers set current_step_id = null where id = any(%(ids)s) and {_UNKNOWN_STEP}",  # noqa: S608
    """
    insert into step_instances (dossier_id, step_id, started_at, created_at, metadata)
    select d.id, d.current_step_id, d.updated_at, d.updated_at, '{"made_by_upgrade": true}'
    from dossiers d
    where d.id = any(%(ids)s) and d.current_step_id is not null and not exists (
      select from step_instances si where si.dossier_id = d.id and si.step_id = d.current_step_id
    )
    on conflict do nothing
    """,
    """
    update dossiers d
    set current_step_instance_id = si.id
    from step_instances si
    where d.id = any(%(ids)s) and si.dossier_id = d.id and si.step_id = d.current_step_id
      and d.current_step_instance_id is distinct from si.id
    """,
)


def backfill(connection: Connection, progress: Callable[[int, int], None]) -> None:
    """Fill every row.

    Args:
        connection: In autocommit.
        progress: Told how many pages are done, of how many.
    """
    _one_instance_per_step(connection)
    connection.execute("analyze " + ", ".join(_COLUMNS))
    sizes = {table: _pages(connection, table) for table in _COLUMNS}
    done = 0
    for table, pages in sizes.items():
        step = _WALK_PAGES if table in _WALKS else _PAGES
        for start in range(0, pages, step):
            stretch = f"ctid >= '({start},0)' and ctid < '({start + step},0)'"
            batch(connection, table, partial(_WALKS.get(table, _fill), connection, table, stretch))
            progress(done + min(start + step, pages), sum(sizes.values()))
        done += pages


def _one_instance_per_step(connection: Connection) -> None:
    for _ in range(_INDEX_TRIES):
        try:
            script.alone(connection, _INDEX.strip())
        except errors.UniqueViolation:  # the old application wrote one more since
            aside.set_surplus_aside(connection)
        else:
            return
    raise RuntimeError("The application keeps writing a dossier's step twice: stop that, and run again.")


def _pages(connection: Connection, table: str) -> int:
    row: Any = connection.execute(
        "select pg_relation_size(%s::regclass) / current_setting('block_size')::bigint", [table]
    ).fetchone()
    return int(row[0])


def _fill(connection: Connection, table: str, rows: str, ids: Sequence[object] | None = None) -> None:
    missing = _count(connection, table, rows, ids)
    if missing:
        column = next(iter(_COLUMNS[table]))
        connection.execute(
            sql.SQL("update {} set {column} = {column} where {} and ({})").format(
                sql.Identifier(table),
                sql.SQL(rows),
                sql.SQL(" or ".join(_missing(table))),
                column=sql.Identifier(column),
            ),
            {"ids": ids} if ids is not None else None,
        )


def _count(connection: Connection, table: str, rows: str, ids: Sequence[object] | None = None) -> int:
    """Note how many values a rule is about to fill, and give their sum."""
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in _missing(table))
    query = f"select {counts} from {table} where {rows}"  # noqa: S608 -- names and conditions of this module
    found: Any = connection.execute(query.encode(), {"ids": ids} if ids is not None else None).fetchone()
    filled = {f"filled {column}": count for column, count in zip(_COLUMNS[table], found, strict=True)}
    journal.add(connection, table, filled)
    return sum(found)


def _missing(table: str) -> list[str]:
    return [condition.format(column) for column, condition in _COLUMNS[table].items()]


def _walk_dossiers(connection: Connection, _table: str, stretch: str) -> None:
    # A row that is updated leaves the stretch.
    ids = _ids(connection, "dossiers", stretch)
    _fill(connection, "dossiers", "id = any(%(ids)s)", ids)
    for statement in _CURRENT_STEPS:
        connection.execute(statement.encode(), {"ids": ids})


def _walk_documents(connection: Connection, _table: str, stretch: str) -> None:
    # Locked, so that a version that is uploaded now waits, and is numbered after these.
    ids = _ids(connection, "documents", f"{stretch} for no key update")
    _fill(connection, "documents", "id = any(%(ids)s)", ids)
    _count(connection, "document_versions", "document_id = any(%(ids)s)", ids)
    connection.execute(_NUMBER, {"ids": ids})


def _ids(connection: Connection, table: str, condition: str) -> list[object]:
    query = f"select id from {table} where {condition}"  # noqa: S608 -- names of this module
    return [row[0] for row in connection.execute(query.encode())]


_WALKS: dict[str, Callable[[Connection, str, str], None]] = {
    "dossiers": _walk_dossiers,
    "documents": _walk_documents,
}
