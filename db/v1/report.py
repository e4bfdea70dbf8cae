"""What the upgrade did, table by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.v1 import journal

if TYPE_CHECKING:
    from db.v1.session import Connection

TABLES = (
    "profiles",
    "agents",
    "steps",
    "document_types",
    "dossiers",
    "step_instances",
    "dossier_status_history",
    "messages",
    "documents",
    "document_versions",
    "document_reviews",
    "events",
    "notifications",
    "notification_deliveries",
)
"""Those that v1 has."""

# What the upgrade had to make, so that others could point to it.
_MADE = {
    "agents": "email = 'system@upgrade.invalid'",
    "document_types": "id = '00000000-0000-0000-0000-000000000000' and code = 'UNKNOWN'",
    "step_instances": "metadata ? 'made_by_upgrade'",
}


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table of v1. Where nobody wrote meanwhile, ``after`` is ``before`` + ``made`` - ``set_aside``.

    Attributes:
        name: The table.
        before: Its rows when the upgrade began.
        after: Its rows when it ended.
        made: Rows that the upgrade made.
        set_aside: Rows that it moved to ``fleet.set_aside``.
        filled: How many values a rule filled, by column, as v1 named it.
    """

    name: str
    before: int
    after: int
    made: int
    set_aside: int
    filled: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole upgrade, however often it was interrupted.

    Attributes:
        tables: One for each table of v1.
        unknown_steps: Dossiers whose current step does not exist; they stay, without a current step.
        seconds: From the first step's beginning to the last one's end.
    """

    tables: tuple[TableReport, ...]
    unknown_steps: int
    seconds: float


def count_before(connection: Connection) -> None:
    """Note how many rows there are, unless a run that was interrupted noted it already.

    Args:
        connection: In autocommit.
    """
    _count(connection, "before", dict.fromkeys(TABLES, "true"))


def count_after(connection: Connection) -> None:
    """Note how many rows there are now, and how many of them the upgrade made.

    Args:
        connection: In autocommit.
    """
    _count(connection, "after", dict.fromkeys(TABLES, "true"))
    _count(connection, "made", _MADE)


def read_report(connection: Connection) -> Report:
    """Put together what the journal says.

    Args:
        connection: In autocommit.
    """
    aside: Any = connection.execute("select table_name, count(*) from fleet.set_aside group by 1").fetchall()
    rows: Any = connection.execute("select table_name, what, rows from fleet.v1_counts").fetchall()
    seconds: Any = connection.execute(
        "select extract(epoch from max(finished_at) - min(started_at))::float from fleet.v1_steps"
    ).fetchone()
    set_aside = dict(aside)
    counts = {(table, what): number for table, what, number in rows}
    return Report(
        tables=tuple(
            TableReport(
                name=table,
                before=counts.get((table, "before"), 0),
                after=counts.get((table, "after"), 0),
                made=counts.get((table, "made"), 0),
                set_aside=set_aside.get(table, 0),
                filled={
                    what.removeprefix("filled "): number
                    for (of, what), number in sorted(counts.items())
                    if of == table and what.startswith("filled ")
                },
            )
            for table in TABLES
        ),
        unknown_steps=set_aside.get("dossiers.current_step_id", 0),
        seconds=seconds[0] or 0.0,
    )


def _count(connection: Connection, what: str, conditions: dict[str, str]) -> None:
    for table, condition in conditions.items():
        with connection.transaction():
            noted = connection.execute(
                "select from fleet.v1_counts where table_name = %s and what = %s", [table, what]
            ).fetchone()
            if noted is None:
                query = f"select count(*) from {table} where {condition}"  # noqa: S608 -- names of this module
                row: Any = connection.execute(query.encode()).fetchone()
                journal.add(connection, table, {what: row[0]})
