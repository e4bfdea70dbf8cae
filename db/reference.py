"""The entity diagram and the table reference, written from a live catalogue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from db import catalog, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from db.catalog import Catalog

SCHEMAS = ("public", "fleet")

_COMMENTS = text("""
    select n.nspname || '.' || c.relname as name, obj_description(c.oid, 'pg_class') as comment
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(:schemas) and c.relkind in ('r', 'p')
""")

_REFERENCE = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES ([\w.]+)\((\w+)\)")


def write(connection: Connection) -> str:
    """The reference of a database at its newest revision, as Markdown with Mermaid diagrams.

    Args:
        connection: Of a role that may see both schemas.
    """
    told = connection.execute(_COMMENTS, {"schemas": list(SCHEMAS)})
    of_roles = role.own_policies(connection)
    comments: dict[str, str | None] = {row.name: row.comment for row in told}
    lines = [
        "# Database reference",
        "",
        "Written by `fleet db reference` from the live catalogue; a test keeps it current.",
    ]
    for schema in SCHEMAS:
        found = catalog.read(connection, schema)
        found["tables"].pop("schema_version", None)
        found["policies"] = [p for p in found["policies"] if (p["table"], p["policy"]) not in of_roles]
        lines += ["", f"## Schema `{schema}`", "", *_diagram(found), *_enums(found)]
        for table, columns in found["tables"].items():
            lines += _table(found, table, columns, comments.get(f"{schema}.{table}"))
    return "\n".join(lines) + "\n"


def _diagram(found: Catalog) -> Iterator[str]:
    yield from ("```mermaid", "erDiagram")
    for table, constraints in found["constraints"].items():
        if table not in found["tables"]:
            continue
        yield f"  {table}"
        for constraint in constraints:
            reference = _REFERENCE.match(constraint["def"])
            if reference:
                column, target, _ = reference.groups()
                yield f"  {target.replace('.', '_')} ||--o{{ {table} : {column}"
    yield "```"


def _enums(found: Catalog) -> Iterator[str]:
    if found["enums"]:
        yield from ("", "| enum | values |", "|---|---|")
        for name, values in found["enums"].items():
            yield f"| `{name}` | {', '.join(values)} |"


def _table(found: Catalog, table: str, columns: list[dict[str, Any]], comment: str | None) -> Iterator[str]:
    yield from ("", f"### {table}", "")
    if comment:
        yield from (comment, "")
    yield from ("| column | type | null | default |", "|---|---|---|---|")
    for column in columns:
        default = f"`{_cell(column['default'])}`" if column["default"] else ""
        nullable = "" if column["not_null"] else "yes"
        yield f"| `{column['name']}` | {column['type']} | {nullable} | {default} |"
    yield from ("", *_rules(found, table))


def _rules(found: Catalog, table: str) -> Iterator[str]:
    """Constraints, indexes, triggers and policies of a table."""
    for constraint in found["constraints"].get(table, []):
        yield f"- `{constraint['name']}`: {_code(constraint['def'])}"
    for name, definition in found["indexes"].items():
        where = re.search(r" ON (?:\w+\.)?(\w+) USING (.*)$", definition)
        if where and where.group(1) == table:
            yield f"- index `{name}`: {_code(where.group(2))}"
    for trigger in found["triggers"]:
        if trigger["table"] == table:
            yield f"- trigger `{trigger['name']}`: {_code(_event(trigger['def']))}"
    if table in found["rls_tables"]:
        yield "- row-level security is on"
    for policy in found["policies"]:
        if policy["table"] == table:
            yield f"- policy “{policy['policy']}” ({policy['cmd']})"


def _event(definition: str) -> str:
    """What fires a trigger and what it runs."""
    return re.sub(r"^CREATE (?:CONSTRAINT )?TRIGGER \w+ ", "", definition)


def _code(definition: str) -> str:
    return f"`{_cell(definition)}`"


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
