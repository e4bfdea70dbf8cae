"""Whether a database is what the code expects, and where it lets clients do what they should not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from db import catalog, catalogs, sqlfiles
from db.measures import CLOSED_TABLES, HARDENED_POLICIES
from db.privileges import INSERTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from db.catalog import Catalog

Kind = Literal["drift", "hole", "information"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a database that somebody should know.

    Attributes:
        kind: ``drift`` from what the code expects; a ``hole``; or ``information``, which needs no mending.
        object: Such as ``column profiles.status``, ``table events`` or ``trigger fleet.x.y``.
        what: What is the matter.
        mend: What to do; empty where nothing needs to be done.
    """

    kind: Kind
    object: str
    what: str
    mend: str


STATUS = "fleet db status tells which kind of database this is"
UPGRADE = "fleet db upgrade"
HARDEN = "fleet db harden"
BY_HAND = "by hand: the fleet alters nothing of the platform's"

# The platform's live database has it so, and the fleet reads it as that.
_TOLERATED = frozenset({"column dossiers.user_id"})

# Where the fleet inserts: a column that it does not know must be able to fill itself.
_FLEET_INSERTS = frozenset(INSERTS)

_WRITES_DOSSIER_CREATED = """
select exists (
  select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
  where t.tgrelid = to_regclass('public.dossiers') and t.tgtype & 4 = 4 and p.prosrc like '%DOSSIER_CREATED%'
)
"""


def check(connection: Connection) -> list[Finding]:
    """Compare a database with what the code expects, and look for holes. Changes nothing.

    Args:
        connection: Of a role that may see the schemas; best the owner's.

    Returns:
        Drift first, then holes, then information; empty for a flawless database.
    """
    public = catalog.read(connection)
    found = [
        *_platform_drift(public),
        *_fleet_drift(read_fleet(connection)),
        *_holes(connection),
        *_event_without_trigger(connection),
    ]
    order = ("drift", "hole", "information")
    return sorted(found, key=lambda finding: order.index(finding.kind))


def read_fleet(connection: Connection) -> Catalog:
    """Read the catalogue of the fleet's part: its schema, and its queue triggers on the platform's tables.

    What hardening has added is left out: it is there or not by the operator's choice.
    """
    found = catalog.read(connection, "fleet")
    queues = [t for t in catalog.read(connection)["triggers"] if t["name"].startswith("fleet_enqueue_")]
    found["triggers"] += queues
    for objects in ("tables", "constraints"):
        found[objects].pop("hardened", None)
    hardening = ("guard_columns(", "refuse_event_change(", "redact_event(")
    found["functions"] = [name for name in found["functions"] if not name.startswith(hardening)]
    return found


def expected_fleet() -> Catalog:
    """The catalogue that ``read_fleet`` reads of a database that the migrations made."""
    kept: Catalog = json.loads(files(catalogs).joinpath("fleet.json").read_text(encoding="utf-8"))
    return kept


def clients(connection: Connection) -> list[str]:
    """The roles of the database that act for clients, by what they may do."""
    query, _ = sqlfiles.read("check")
    return list(connection.scalars(text(query)))


def _platform_drift(found: Catalog) -> Iterator[Finding]:
    expected = catalogs.load("v2")
    missing = expected["tables"].keys() - found["tables"].keys()
    for difference, name, definition in _differences(expected, _without_fleet(found)):
        if any(_is_part_of(table, name, definition) for table in missing):
            continue
        if difference == "extra":
            yield _addition(name, definition)
        elif name in _TOLERATED or (name.startswith("enum ") and _only_longer(expected, found, name)):
            yield Finding("information", name, f"{difference}: {definition}", "")
        else:
            mend = STATUS if name.startswith("table ") else BY_HAND
            yield Finding("drift", name, f"{difference}: {definition}", mend)


def _is_part_of(table: str, name: str, definition: str) -> bool:
    _, _, place = name.partition(" ")
    return (
        place.startswith(f"{table}.")
        or place.endswith(f" of {table}")
        or f" ON public.{table} " in definition
    )


def _fleet_drift(found: Catalog) -> Iterator[Finding]:
    if not found["tables"]:
        yield Finding("drift", "schema fleet", "the fleet has not been put on this database", UPGRADE)
        return
    for difference, name, definition in _differences(expected_fleet(), found):
        # The fleet's triggers are on the platform's tables.
        qualified = name if name.startswith("trigger ") else name.replace(" ", " fleet.", 1)
        if difference == "extra":
            yield Finding("information", qualified, f"extra: {definition}", "")
        else:
            yield Finding("drift", qualified, f"{difference}: {definition}", UPGRADE)


def _differences(expected: Catalog, found: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield (missing, extra or different; the object; its definition)."""
    for line in catalog.differences(expected, found):
        difference, name, definition = line.split(": ", 2)
        yield difference, name, definition


def _without_fleet(public: Catalog) -> Catalog:
    """What remains of ``public`` without the fleet's queues, hardening and policies."""
    return public | {
        "triggers": [t for t in public["triggers"] if not t["name"].startswith("fleet_")],
        "functions": [f for f in public["functions"] if not f.startswith("payment_link_by_token(")],
        "rls_tables": [t for t in public["rls_tables"] if t not in CLOSED_TABLES],
        "policies": [
            p
            for p in public["policies"]
            if (p["table"], p["policy"]) not in HARDENED_POLICIES and not p["policy"].startswith("fleet_")
        ],
    }


def _addition(name: str, definition: str) -> Finding:
    column = re.fullmatch(r"column (\w+)\.\w+", name)
    if column and column[1] in _FLEET_INSERTS and definition.endswith(" not null default None"):
        return Finding("drift", name, f"the fleet's inserts fail on it: {definition}", "give it a default")
    return Finding("information", name, f"extra: {definition}", "")


def _only_longer(expected: Catalog, found: Catalog, name: str) -> bool:
    enum = name.removeprefix("enum ")
    return set(expected["enums"][enum]) <= set(found["enums"].get(enum, ()))


def _holes(connection: Connection) -> Iterator[Finding]:
    _, query = sqlfiles.read("check")
    values = {"clients": clients(connection), "platform": list(catalogs.load("v2")["tables"])}
    for row in connection.execute(text(query), values):
        mend = BY_HAND if row.object.startswith("policy ") else HARDEN
        what = row.what if row.number is None else f"{row.what} (hole {row.number})"
        yield Finding("hole", row.object, what, mend)


def _event_without_trigger(connection: Connection) -> Iterator[Finding]:
    if not connection.scalar(text(_WRITES_DOSSIER_CREATED)):
        yield Finding(
            "information",
            "event DOSSIER_CREATED",
            "no trigger writes it (hole 16): it exists where whoever makes the dossier inserts it",
            "",
        )
