"""How a live schema deviates from the one it is meant to be, and which deviations the fleet can live with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from db.privileges import INSERTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from db.catalog import Catalog

# The fleet inserts into these: a column that it does not know must fill itself.
_WRITTEN = frozenset(INSERTS)

# Live databases have dossiers that belong to nobody yet, and the code reckons with it.
_MAY_BE_NULL = frozenset({"dossiers.user_id"})

_KEYS = ("PRIMARY KEY", "UNIQUE")


@dataclass(slots=True)
class Deviations:
    """What differs, one readable line each.

    Attributes:
        additions: What is more than expected, or different in a way that changes nothing for the fleet.
        obstacles: What is missing or in the way.
    """

    additions: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def deviations(expected: Catalog, found: Catalog) -> Deviations:
    """Compare two catalogues by what the fleet relies on: tables, columns, enums, keys, functions, triggers.

    The fleet's own triggers are no deviation. Other constraints, indexes, policies and row-level security are
    the platform's business: what differs there is named among the additions.

    Args:
        expected: As from ``db.catalogs.load``.
        found: As from ``db.catalog.read``.
    """
    result = Deviations()
    _enums(expected, found, result)
    _tables(expected, found, result)
    _constraints(expected, found, result)
    missing_tables = expected["tables"].keys() - found["tables"].keys()
    _named("function", _functions(expected), _functions(found), result, needed=True)
    _named("trigger", _triggers(expected, missing_tables), _triggers(found), result, needed=True)
    _named("index", expected["indexes"], found["indexes"], result)
    _named("policy", _policies(expected), _policies(found), result)
    _named("row-level security of", _row_security(expected), _row_security(found), result)
    return result


def _enums(expected: Catalog, found: Catalog, result: Deviations) -> None:
    for name, labels in expected["enums"].items():
        if name not in found["enums"]:
            result.obstacles.append(f"missing: enum {name}")
            continue
        there = found["enums"][name]
        result.obstacles += [
            f"missing: value {label} of enum {name}" for label in labels if label not in there
        ]
        result.additions += [f"value {label} of enum {name}" for label in there if label not in labels]
    result.additions += [f"enum {name}" for name in found["enums"] if name not in expected["enums"]]


def _tables(expected: Catalog, found: Catalog, result: Deviations) -> None:
    for table, columns in expected["tables"].items():
        if table not in found["tables"]:
            result.obstacles.append(f"missing: table {table}")
            continue
        there = {column["name"]: column for column in found["tables"][table]}
        for column in columns:
            _column(f"{table}.{column['name']}", column, there.pop(column["name"], None), result)
        for name, column in there.items():
            line = f"column {table}.{name} {_shape(column)}"
            if table in _WRITTEN and column["not_null"] and column["default"] is None:
                result.obstacles.append(f"in the way: {line}, which the fleet's inserts do not fill")
            else:
                result.additions.append(line)
    result.additions += [f"table {table}" for table in found["tables"] if table not in expected["tables"]]


def _column(name: str, wanted: dict[str, Any], there: dict[str, Any] | None, result: Deviations) -> None:
    if there is None:
        result.obstacles.append(f"missing: column {name}")
        return
    if wanted == there:
        return
    looser = wanted["not_null"] and not there["not_null"] and name not in _MAY_BE_NULL
    unfilled = name.partition(".")[0] in _WRITTEN and there["not_null"] and there["default"] is None
    stricter = unfilled and (not wanted["not_null"] or wanted["default"] is not None)
    line = f"column {name} is {_shape(there)}, expected {_shape(wanted)}"
    if wanted["type"] != there["type"] or looser or stricter:
        result.obstacles.append(f"different: {line}")
    else:
        result.additions.append(line)


def _constraints(expected: Catalog, found: Catalog, result: Deviations) -> None:
    """By what they say: their names are whatever tool's that built the database."""
    for table in sorted(expected["tables"].keys() & found["tables"].keys()):
        wanted, there = (
            [constraint["def"] for constraint in catalog["constraints"].get(table, [])]
            for catalog in (expected, found)
        )
        for definition in wanted:
            if definition in there:
                continue
            if definition.startswith(_KEYS):
                result.obstacles.append(f"missing: {definition} of {table}")
            else:
                result.additions.append(f"without: {definition} of {table}")
        result.additions += [f"constraint {each} of {table}" for each in there if each not in wanted]


def _named(
    kind: str,
    expected: Mapping[str, str],
    found: Mapping[str, str],
    result: Deviations,
    *,
    needed: bool = False,
) -> None:
    for name, definition in expected.items():
        if name not in found:
            (result.obstacles if needed else result.additions).append(
                f"{'missing' if needed else 'without'}: {kind} {name}"
            )
        elif _flat(definition) != _flat(found[name]):
            result.additions.append(f"{kind} {name} differs")
    result.additions += [f"{kind} {name}" for name in found if name not in expected]


def _functions(catalog: Catalog) -> dict[str, str]:
    # With the result: a function that returns something else is another one.
    return dict.fromkeys(catalog["functions"], "")


def _triggers(catalog: Catalog, without: Iterable[str] = ()) -> dict[str, str]:
    return {
        f"{trigger['table']}.{trigger['name']}": trigger["def"]
        for trigger in catalog["triggers"]
        if "EXECUTE FUNCTION fleet." not in trigger["def"] and trigger["table"] not in without
    }


def _policies(catalog: Catalog) -> dict[str, str]:
    return {
        f'{policy["table"]}."{policy["policy"]}"': f"{policy['cmd']} {policy['using']} {policy['with_check']}"
        for policy in catalog["policies"]
    }


def _row_security(catalog: Catalog) -> dict[str, str]:
    return dict.fromkeys(catalog["rls_tables"], "")


def _shape(column: dict[str, Any]) -> str:
    null = "not null" if column["not_null"] else "null"
    default = f" default {column['default']}" if column["default"] is not None else ""
    return f"{column['type']} {null}{default}"


def _flat(definition: str) -> str:
    return " ".join(definition.split())
