"""Which of the platform's databases a database is, told by its catalogue alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import text

from db import catalog, revisions, role
from db.catalogs import load
from db.deviations import deviations
from db.measures import CLOSED_TABLES, HARDENED_POLICIES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.catalog import Catalog

V1_PROGRESS = "fleet.v1_steps"
"""While this table is there and no revision is, an upgrade from v1 has begun and not ended."""


class Kind(StrEnum):
    """What a database can be."""

    EMPTY = "empty"
    V1 = "v1"
    V2_UNMANAGED = "v2_unmanaged"
    V2_MANAGED = "v2_managed"
    V2_WITH_ADDITIONS = "v2_with_additions"
    """Managed where the recognition has a revision."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a database was recognised as.

    Attributes:
        kind: What it is.
        revision: Where the fleet manages it: the revision that it is at.
        additions: What it has beyond its kind, and the fleet lives with.
        obstacles: Why it is unknown: what is missing or in the way.
        interrupted: An upgrade from v1 has begun and not ended.
    """

    kind: Kind
    revision: str | None = None
    additions: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def title(self) -> str:
        """The kind in words."""
        match self.kind:
            case Kind.EMPTY:
                return "empty"
            case Kind.V1:
                return "v1, its upgrade to v2 begun and not ended" if self.interrupted else "v1"
            case Kind.UNKNOWN:
                return "not a database that the fleet can be put on"
        managed = f"managed at revision {self.revision}" if self.revision else "unmanaged"
        return f"v2 {managed}" + (", with additions" if self.additions else "")


# What an extension brought belongs to the extension.
_OWN = "not exists (select from pg_depend d where d.objid = {oid} and d.deptype = 'e')"

_OBJECTS = f"""
select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
    when 'f' then 'foreign table' else 'table' end || ' ' || c.relname
  from pg_class c
  where c.relnamespace = to_regnamespace(:schema) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and {_OWN.format(oid="c.oid")}
union all
select 'type ' || t.typname
  from pg_type t
  where t.typnamespace = to_regnamespace(:schema) and t.typtype in ('e', 'd', 'r')
    and {_OWN.format(oid="t.oid")}
union all
select 'function ' || p.oid::regprocedure
  from pg_proc p
  where p.pronamespace = to_regnamespace(:schema) and {_OWN.format(oid="p.oid")}
order by 1
"""  # noqa: S608 - put together from constants

# What the fleet has added to close the platform's holes is no addition of the platform's.
_HARDENING = (
    *(f'policy {table}."{policy}"' for table, policy in HARDENED_POLICIES),
    *(f"row-level security of {table}" for table in CLOSED_TABLES),
    "function payment_link_by_token(",
)

_VIEWS_ON_NEW_NAMES = """
select relname from pg_class
where relnamespace = to_regnamespace('public') and relkind in ('v', 'm', 'f', 'S') and relname = any(:names)
"""


def recognise(connection: Connection) -> Recognition:
    """Tell what a database is. Reads only, and looks at the schemas ``public``, ``fleet`` and ``auth`` alone.

    Args:
        connection: Of a role that may read the schema ``fleet``, where there is one.
    """
    revision = _revision(connection)
    if revision is None and _exists(connection, V1_PROGRESS):
        return Recognition(Kind.V1, interrupted=True)
    in_public, in_fleet = (_objects(connection, schema) for schema in ("public", "fleet"))
    strangers = [] if revision else [f"in the way: {each} in schema fleet" for each in in_fleet]
    if not in_public and revision is None:
        return Recognition(Kind.UNKNOWN, obstacles=strangers) if strangers else Recognition(Kind.EMPTY)
    found = catalog.read(connection)
    v2 = deviations(load("v2"), found)
    additions = v2.additions
    if revision:
        own = tuple(f'policy {table}."{name}"' for table, name in role.own_policies(connection))
        additions = [each for each in additions if not each.startswith(own)]
    if revision and _exists(connection, "fleet.hardened"):
        additions = [each for each in additions if not each.startswith(_HARDENING)]
    obstacles = [*v2.obstacles, *strangers, *_auth_obstacles(connection)]
    if revision and revision not in revisions.known():
        obstacles.append(f"in the way: revision {revision} is of another version of the fleet; use that one")
    if not obstacles:
        if additions:
            return Recognition(Kind.V2_WITH_ADDITIONS, revision, additions)
        return Recognition(Kind.V2_MANAGED if revision else Kind.V2_UNMANAGED, revision)
    if revision is None and _looks_like_v1(found):
        return _as_v1(connection, found, strangers)
    if not found["tables"].keys() & load("v2")["tables"].keys():
        obstacles = [f"in the way: {each}" for each in in_public] + strangers
    return Recognition(Kind.UNKNOWN, revision, additions, obstacles)


def _as_v1(connection: Connection, found: Catalog, strangers: list[str]) -> Recognition:
    v1, v2 = load("v1"), load("v2")
    result = deviations(v1, found)
    ahead = [f"in the way: {each}, already as in v2" for each in _ahead(v1, v2, found)]
    new_names = sorted(v2["tables"].keys() - v1["tables"].keys())
    others = connection.scalars(text(_VIEWS_ON_NEW_NAMES), {"names": new_names})
    taken = [f"in the way: {name}, a name that v2 needs for a table" for name in others]
    obstacles = [*result.obstacles, *ahead, *taken, *strangers, *_auth_obstacles(connection)]
    kind = Kind.UNKNOWN if obstacles else Kind.V1
    return Recognition(kind, None, result.additions, obstacles)


def _looks_like_v1(found: Catalog) -> bool:
    steps = {column["name"] for column in found["tables"].get("dossiers", [])}
    return "current_step_id" in steps and "current_step_instance_id" not in steps


def _ahead(v1: Catalog, v2: Catalog, found: Catalog) -> list[str]:
    """What only v2 has, found in a database of v1: somebody has begun to move it by hand."""
    new_tables = v2["tables"].keys() - v1["tables"].keys()
    tables = [f"table {table}" for table in found["tables"] if table in new_tables]
    columns = []
    for table in v1["tables"]:
        old, new, there = (
            {column["name"] for column in each["tables"].get(table, [])} for each in (v1, v2, found)
        )
        columns += [f"column {table}.{name}" for name in sorted(there & new - old)]
    enums = [f"enum {name}" for name in found["enums"] if name in v2["enums"].keys() - v1["enums"].keys()]
    return tables + columns + enums


def _revision(connection: Connection) -> str | None:
    if not _exists(connection, "fleet.schema_version"):
        return None
    revision: str | None = connection.scalar(text("select version_num from fleet.schema_version"))
    return revision


def _exists(connection: Connection, relation: str) -> bool:
    return connection.scalar(text("select to_regclass(:name) is not null"), {"name": relation}) is True


def _objects(connection: Connection, schema: str) -> list[str]:
    found = connection.scalars(text(_OBJECTS), {"schema": schema})
    return [each for each in found if each != "table schema_version"]


def _auth_obstacles(connection: Connection) -> list[str]:
    """The e-mail addresses are in Supabase's ``auth.users``."""
    columns = connection.scalars(
        text(
            "select attname from pg_attribute"
            " where attrelid = to_regclass('auth.users') and attnum > 0 and not attisdropped"
        )
    ).all()
    return [f"missing: column auth.users.{name}" for name in ("id", "email") if name not in columns]
