"""Whether the role that is logged in may do what the fleet's processes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from db import json_rows
from db.privileges import INSERTS, MARKS, READS, UPDATES, WORKS_WITH, policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

# Asked of the catalogue by oid: whether a name can be looked up depends on the rights in question.
_MISSING = text("""
    select r.privilege || ' on ' || r.schema || '.' || r.name || coalesce('.' || r.attribute, '') as what
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(schema text, name text, attribute text, privilege text)
    join pg_namespace n on n.nspname = r.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = r.name
    left join pg_attribute a on a.attrelid = c.oid and a.attname = r.attribute and not a.attisdropped
    where case
      when not has_schema_privilege(n.oid, 'USAGE') then true
      when r.attribute is null then not has_table_privilege(c.oid, r.privilege)
      when a.attnum is null then false
      else not has_column_privilege(c.oid, a.attnum, r.privilege)
    end
    order by 1
""")

# Row-level security shows a role nothing, and tells it nothing, unless a policy for it does.
_HIDDEN = text("""
    select 'policy ' || r.name || ' on ' || r.relation
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(relation text, name text)
    where row_security_active(to_regclass(r.relation))
      and not exists (
        select from pg_policy p where p.polrelid = to_regclass(r.relation) and p.polname = r.name)
    order by 1
""")

_OWNER = text("""
    select pg_has_role(relowner, 'USAGE') from pg_class where oid = to_regclass('public.events')
""")


def missing(connection: Connection) -> list[str]:
    """Name the privileges and policies that the role lacks, such as ``INSERT on public.events``."""
    found = list(connection.scalars(_MISSING, {"rows": json_rows.dumps(list(_wanted()))}))
    if found:
        return found
    wanted = [{"relation": each.table, "name": each.name} for each in policies(who(connection))]
    return list(connection.scalars(_HIDDEN, {"rows": json_rows.dumps(wanted)}))


def is_owner(connection: Connection) -> bool:
    """Whether the role owns the platform's tables, or may do what their owner may."""
    return connection.scalar(_OWNER) is True


def who(connection: Connection) -> str:
    """The role that is logged in."""
    return str(connection.scalar(text("select current_user")))


def _wanted() -> Iterator[dict[str, object]]:
    for schema, tables, privilege in (
        ("public", READS, "SELECT"),
        ("public", INSERTS, "INSERT"),
        *(("fleet", WORKS_WITH, verb) for verb in ("SELECT", "INSERT", "UPDATE", "DELETE")),
        ("fleet", MARKS, "SELECT"),
    ):
        for name in tables:
            yield {"schema": schema, "name": name, "privilege": privilege}
    for name, columns in UPDATES.items():
        for column in columns:
            yield {"schema": "public", "name": name, "attribute": column, "privilege": "UPDATE"}
    for column in ("id", "email"):
        yield {"schema": "auth", "name": "users", "attribute": column, "privilege": "SELECT"}
