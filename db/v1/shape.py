"""The statements that take a schema back to v1's catalogue, object by object.

Each function looks at the schema as it is by then, so that it does not matter what a database was built from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from db.catalog import Catalog


def loosen(v1: Catalog, found: Catalog) -> Iterator[str]:
    """Drop what v1 has not and what stands in the way of changing columns and rows.

    Args:
        v1: The catalogue to arrive at.
        found: As from ``db.catalog.read``, now.
    """
    for policy in found["policies"]:
        yield f"drop policy {_quoted(policy['policy'])} on {_quoted(policy['table'])}"
    for table in _beyond(found["rls_tables"], v1["rls_tables"]):
        yield f"alter table {_quoted(table)} disable row level security"
    for trigger in found["triggers"]:
        yield f"drop trigger {_quoted(trigger['name'])} on {_quoted(trigger['table'])}"
    for signature in _beyond(found["functions"], v1["functions"]):
        yield f"drop function {signature.rsplit(' -> ', 1)[0]}"
    yield from _constraints(v1, found)
    tables = ", ".join(map(_quoted, _beyond(found["tables"], v1["tables"])))
    yield f"drop table {tables}"
    for index in _beyond(found["indexes"], v1["indexes"]):
        yield f"drop index if exists {_quoted(index)}"  # some have gone with their tables


def columns(v1: Catalog, found: Catalog) -> Iterator[str]:
    """Drop the columns that v1 has not, and let the others be null or have no default as in v1.

    Args:
        v1: The catalogue to arrive at.
        found: As from ``db.catalog.read``, after the columns have v1's names.
    """
    for table, wanted in v1["tables"].items():
        there = {column["name"]: column for column in found["tables"][table]}
        names = {column["name"] for column in wanted}
        changes = [f"drop column {_quoted(name)}" for name in there if name not in names]
        for column in wanted:
            changes += _column(column, there[column["name"]])
        if changes:
            yield f"alter table {_quoted(table)} {', '.join(changes)}"


def enums(v1: Catalog, found: Catalog) -> Iterator[str]:
    """Make the enums those of v1. A value can't be dropped: the type is made anew, its tables written anew.

    Args:
        v1: The catalogue to arrive at.
        found: As from ``db.catalog.read``, after the columns that v1 has not are gone.
    """
    changed = [name for name, labels in v1["enums"].items() if found["enums"][name] != labels]
    for name in changed:
        labels = ", ".join(f"'{label}'" for label in v1["enums"][name])
        yield f"alter type {_quoted(name)} rename to {_quoted(f'v2_{name}')}"
        yield f"create type {_quoted(name)} as enum ({labels})"
    for table, wanted in v1["tables"].items():
        changes = [each for column in wanted if column["type"] in changed for each in _retyped(column)]
        if changes:
            yield f"alter table {_quoted(table)} {', '.join(changes)}"
    for name in [*(f"v2_{name}" for name in changed), *_beyond(found["enums"], v1["enums"])]:
        yield f"drop type {_quoted(name)}"


def bind(v1: Catalog, found: Catalog) -> Iterator[str]:
    """Add the constraints and policies of v1 that are not there, those that keys point to first.

    Args:
        v1: The catalogue to arrive at.
        found: As from ``db.catalog.read``, now.
    """
    there = {(table, each["name"]) for table, all_ in found["constraints"].items() for each in all_}
    missing = [
        (table, each)
        for table, all_ in v1["constraints"].items()
        for each in all_
        if (table, each["name"]) not in there
    ]
    for table, constraint in sorted(missing, key=lambda each: _is_foreign(each[1])):
        yield f"alter table {_quoted(table)} add constraint {_quoted(constraint['name'])} {constraint['def']}"
    for policy in v1["policies"]:
        yield (
            f"create policy {_quoted(policy['policy'])} on {_quoted(policy['table'])}"
            f" for {policy['cmd']} using ({policy['using']})"
        )


def _constraints(v1: Catalog, found: Catalog) -> Iterator[str]:
    doomed = []
    for table, all_ in v1["constraints"].items():
        wanted = {each["def"]: each["name"] for each in all_}
        for constraint in found["constraints"].get(table, []):
            name = wanted.pop(constraint["def"], None)
            if name is None:
                doomed.append((table, constraint))
            elif name != constraint["name"]:
                yield (
                    f"alter table {_quoted(table)}"
                    f" rename constraint {_quoted(constraint['name'])} to {_quoted(name)}"
                )
    # What keys stand on goes after them.
    for table, constraint in sorted(doomed, key=lambda each: not _is_foreign(each[1])):
        yield f"alter table {_quoted(table)} drop constraint {_quoted(constraint['name'])}"


def _column(wanted: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    column = f"alter column {_quoted(wanted['name'])}"
    if there["not_null"] and not wanted["not_null"]:
        yield f"{column} drop not null"
    if there["default"] != wanted["default"]:
        yield f"{column} " + (f"set default {wanted['default']}" if wanted["default"] else "drop default")


def _retyped(column: dict[str, Any]) -> Iterator[str]:
    name, kind = _quoted(column["name"]), _quoted(column["type"])
    yield f"alter column {name} drop default"
    yield f"alter column {name} type {kind} using {name}::text::{kind}"
    if column["default"]:
        yield f"alter column {name} set default {column['default']}"


def _beyond(there: Iterable[str], wanted: Collection[str]) -> list[str]:
    return [name for name in there if name not in wanted]


def _is_foreign(constraint: dict[str, str]) -> bool:
    return constraint["def"].startswith("FOREIGN KEY")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
