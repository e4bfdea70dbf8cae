"""What a database of v2 holds and v1 has no place for: looked for before the way back, without a lock.

What the upgrade from v1 derives by a rule is no loss: it would be derived again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from db.catalogs import load
from db.v1.values import NEW_TABLES, OLD_NAMES, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from db.recognise import Recognition

_CUT_OVER = "05_triggers"

# A live v2 may let this be null, and so does v1; what is missing is made as in v1 all the same.
_NO_LOSS = ("without: ", "column dossiers.user_id ")

_VIEWS = """
select distinct format('view %s', r.ev_class::regclass)
from pg_depend d
join pg_rewrite r on r.oid = d.objid
join pg_class v on v.oid = r.ev_class
join pg_class t on t.oid = d.refobjid
where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
  and t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p')
  and v.oid <> t.oid and v.relnamespace is distinct from to_regnamespace('fleet')
order by 1
"""

_KEYS = """
select c.relname as child, a.attname as column, p.relname as parent
from pg_constraint k
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
join pg_class c on c.oid = k.conrelid
join pg_class p on p.oid = k.confrelid
where k.contype = 'f' and k.connamespace = 'public'::regnamespace and p.relnamespace = k.connamespace
order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that the way back to v1 would lose.

    Attributes:
        where: The table, the column or the object.
        rows: How many rows it concerns; None where it is no row.
        what: What would be lost, as the rest of a sentence.
    """

    where: str
    rows: int | None
    what: str

    def __str__(self) -> str:
        """On one line."""
        count = "" if self.rows is None else f" ({self.rows:,} rows)" if self.rows != 1 else " (1 row)"
        return f"{self.where}{count}: {self.what}"


class LossError(Exception):
    """The way back to v1 would lose something. Nothing was changed.

    Attributes:
        losses: All of it.
    """

    def __init__(self, losses: list[Loss]) -> None:
        self.losses = losses
        super().__init__("Nothing was changed. The way back to v1 would lose what v1 has no place for.")


def losses(connection: Connection, found: Recognition) -> list[Loss]:
    """List all that would be lost. Reads only.

    Args:
        connection: Of the owner of the tables.
        found: What the database is: of v2, managed or not.
    """
    result = [
        Loss(each, None, "the platform has added or changed it; drop or undo it first")
        for each in found.additions
        if not each.startswith(_NO_LOSS)
    ]
    result += [
        Loss(each, None, "it stands on the platform's tables, and would break; drop it first")
        for each in connection.scalars(text(_VIEWS))
    ]
    for table, what in NEW_TABLES.items():
        result += _counted(connection, table, {table: ("true", what)})
    cut_over = _cut_over(connection)
    for table, columns in _values().items():
        named = {f"{table}.{column}": rule for column, rule in columns}
        result += _counted(connection, table, named, cut_over)
    return result + list(_homeless(connection))


def _values() -> dict[str, list[tuple[str, tuple[str, str]]]]:
    """Add to the rules of ``db.v1.values`` one for each enum that has more values in v2."""
    v1, v2 = load("v1"), load("v2")
    result = {table: list(columns.items()) for table, columns in VALUES.items()}
    for table, columns in v1["tables"].items():
        for column in columns:
            kind = column["type"]
            if kind in v1["enums"] and v1["enums"][kind] != v2["enums"][kind]:
                name = OLD_NAMES.get((table, column["name"]), column["name"])
                labels = ", ".join(f"'{label}'" for label in v1["enums"][kind])
                condition = f"t.{name}::text not in ({labels})"
                result[table].append((name, (condition, f"a value that v1's {kind} has not")))
    return result


def _counted(
    connection: Connection, table: str, rules: dict[str, tuple[str, str]], cut_over: str = ""
) -> Iterator[Loss]:
    """Count in one pass over the table."""
    counts = ", ".join(f"count(*) filter (where {condition})" for condition, _ in rules.values())
    query = f"select {counts} from public.{table} t"  # noqa: S608 - names and conditions of this package
    values = {"cut_over": cut_over} if ":cut_over" in query else {}
    found = connection.execute(text(query), values).one()
    for (where, (_, what)), rows in zip(rules.items(), found, strict=True):
        if rows:
            yield Loss(where, rows, what)


def _cut_over(connection: Connection) -> str:
    """When the new application took over: the times that the upgrade has filled in are not later."""
    if connection.scalar(text("select to_regclass('fleet.v1_steps') is null")):
        return "-infinity"
    finished = "select finished_at::text from fleet.v1_steps where name = :name"
    return str(connection.scalar(text(finished), {"name": _CUT_OVER}) or "-infinity")


def _homeless(connection: Connection) -> Iterator[Loss]:
    """Rows that were set aside and can't go back, because what they belong to is gone since."""
    if connection.scalar(text("select to_regclass('fleet.set_aside') is null")):
        return
    columns = {table: {column["name"] for column in all_} for table, all_ in load("v1")["tables"].items()}
    keys: list[Any] = [
        key
        for key in connection.execute(text(_KEYS))
        if key.column in columns.get(key.child, ()) and key.parent in columns
    ]
    for child, column, parent in keys:
        query = f"""
            select count(*) from fleet.set_aside s
            where s.table_name = '{child}' and s."row" ->> '{column}' is not null
              and not exists (select from public.{parent} p where p.id = (s."row" ->> '{column}')::uuid)
              and not exists (
                select from fleet.set_aside a
                where a.table_name = '{parent}' and a."row" ->> 'id' = s."row" ->> '{column}'
              )
        """  # noqa: S608 - names of the platform's own tables
        rows = connection.scalar(text(query))
        if rows:
            yield Loss(
                "fleet.set_aside", rows, f"rows of {child} that belong to rows of {parent} that are gone"
            )
