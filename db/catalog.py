"""The live catalogue of a schema as plain data, and how two such catalogues differ.

The data is the same on every version of PostgreSQL from 14 on, and can be kept as JSON.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


Catalog = dict[str, Any]
"""A schema, under these keys:

- ``enums``: the values of each, in their order
- ``tables``: the columns of each, in their order: ``name``, ``type``, ``not_null``, ``default``
- ``constraints``: those of each table, by name: ``name``, ``def``; NOT NULL is told by the columns
- ``indexes``: the definition of each, without the indexes that stand behind a constraint
- ``triggers``: ``table``, ``name``, ``def``
- ``functions``: the signature of each, without what an extension brought
- ``rls_tables``: the names of the tables with row-level security
- ``policies``: ``table``, ``policy``, ``cmd``, ``using``, ``with_check``
"""

_ENUMS = """
select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
from pg_type t
join pg_enum e on e.enumtypid = t.oid
where t.typnamespace = to_regnamespace(:schema)
group by t.typname
order by t.typname
"""

_TABLES = """
select
  c.relname as "table",
  a.attname as name,
  format_type(a.atttypid, a.atttypmod) as type,
  a.attnotnull as not_null,
  pg_get_expr(d.adbin, d.adrelid) as default
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = to_regnamespace(:schema) and c.relkind in ('r', 'p')
order by c.relname, a.attnum
"""

# From PostgreSQL 18 on, pg_constraint also lists NOT NULL (contype n), which the columns tell already.
_CONSTRAINTS = """
select c.relname as "table", k.conname as name, pg_get_constraintdef(k.oid) as def
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.connamespace = to_regnamespace(:schema) and k.contype in ('c', 'f', 'p', 'u', 'x')
order by c.relname, k.conname
"""

_INDEXES = """
select c.relname as name, pg_get_indexdef(i.indexrelid) as def
from pg_index i
join pg_class c on c.oid = i.indexrelid
where c.relnamespace = to_regnamespace(:schema)
  and not exists (
    select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
  )
order by c.relname
"""

_TRIGGERS = """
select c.relname as "table", t.tgname as name, pg_get_triggerdef(t.oid) as def
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where c.relnamespace = to_regnamespace(:schema) and not t.tgisinternal
order by c.relname, t.tgname
"""

# An extension's functions are not the schema's own.
_FUNCTIONS = """
select format(
  '%s(%s) -> %s', p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid)
) collate "C" as signature
from pg_proc p
where p.pronamespace = to_regnamespace(:schema)
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by 1
"""

_RLS_TABLES = """
select c.relname as name
from pg_class c
where c.relnamespace = to_regnamespace(:schema) and c.relrowsecurity
order by c.relname
"""

_POLICIES = """
select tablename as "table", policyname as policy, cmd, qual as using, with_check
from pg_policies
where schemaname = :schema
order by tablename, policyname
"""


def read(connection: Connection, schema: str = "public") -> Catalog:
    """Read a schema's catalogue, in the connection's transaction.

    Args:
        connection: Of a role that may see the schema.
        schema: Its name. Names within it come out bare, names of other schemas with their schema.
    """
    search_path = connection.scalar(text("select current_setting('search_path')"))
    set_search_path = text("select set_config('search_path', :path, true)")

    def rows(query: str) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(text(query), {"schema": schema}).mappings()]

    connection.execute(set_search_path, {"path": schema})
    catalog = {
        "enums": {row["name"]: row["labels"] for row in rows(_ENUMS)},
        "tables": _by_table(rows(_TABLES)),
        "constraints": _by_table(rows(_CONSTRAINTS)),
        "indexes": {row["name"]: row["def"] for row in rows(_INDEXES)},
        "triggers": rows(_TRIGGERS),
        "functions": [row["signature"] for row in rows(_FUNCTIONS)],
        "rls_tables": [row["name"] for row in rows(_RLS_TABLES)],
        "policies": rows(_POLICIES),
    }
    connection.execute(set_search_path, {"path": search_path})
    return catalog


def differences(expected: Catalog, actual: Catalog) -> list[str]:
    """Name each object that is missing, extra or different, one line each; none where the two agree.

    The order of a table's columns is not looked at: a live table has grown, and nothing depends on it.
    """
    wanted, found = dict(_objects(expected)), dict(_objects(actual))
    lines = []
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            lines.append(f"missing: {name}: {wanted[name]}")
        elif name not in wanted:
            lines.append(f"extra: {name}: {found[name]}")
        elif wanted[name] != found[name]:
            lines.append(f"different: {name}: expected {wanted[name]}; found {found[name]}")
    return lines


def _by_table(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    tables = groupby(rows, key=itemgetter("table"))
    return {
        table: [{key: value for key, value in row.items() if key != "table"} for row in group]
        for table, group in tables
    }


def _objects(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield each object's name, unique among all kinds, and its definition on one line."""
    yield from _tables(catalog)
    for name, labels in catalog["enums"].items():
        yield f"enum {name}", ", ".join(labels)
    for name, definition in catalog["indexes"].items():
        yield f"index {name}", definition
    for trigger in catalog["triggers"]:
        yield f"trigger {trigger['table']}.{trigger['name']}", trigger["def"]
    for signature in catalog["functions"]:
        name, result = signature.rsplit(" -> ", 1)
        yield f"function {name}", f"returns {result}"
    for policy in catalog["policies"]:
        yield f'policy {policy["table"]}."{policy["policy"]}"', _policy(policy)


def _tables(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for table, columns in catalog["tables"].items():
        yield f"table {table}", "present"
        for column in columns:
            yield f"column {table}.{column['name']}", _column(column)
    for table, constraints in catalog["constraints"].items():
        for constraint in constraints:
            yield f"constraint {table}.{constraint['name']}", constraint["def"]
    for table in catalog["rls_tables"]:
        yield f"row-level security of {table}", "enabled"


def _column(column: dict[str, Any]) -> str:
    null = "not null" if column["not_null"] else "null"
    return f"{column['type']} {null} default {column['default']}"


def _policy(policy: dict[str, Any]) -> str:
    definition = f"for {policy['cmd']} using {policy['using']} with check {policy['with_check']}"
    return " ".join(definition.split())
