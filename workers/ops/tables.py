"""Lists as they are shown: rows of cells, which of them, and where the next page begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from db.queries.overview_tries import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS: Final = 50
_LAST_ID: Final = UUID(int=2**128 - 1)
_EVER: Final = timedelta(days=36500)
SPANS: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": _EVER,
}


class UnreadableError(Exception):
    """A page was asked for in a way that no link of ours asks."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What it says.
        to: Where it leads, from the overview; None for nowhere.
        tone: ``success``, ``accent``, ``warning``, ``danger`` or ``quiet`` for a badge of that colour.
        query: Of the address where it leads.
    """

    text: str
    to: str | None = None
    tone: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Act:
    """An action that a row or a list offers.

    Attributes:
        name: Which.
        fields: What it is about.
    """

    name: str
    fields: Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One row: its cells in the order of the columns, and its actions."""

    cells: Sequence[Cell]
    acts: Sequence[Act] = ()


@dataclass(frozen=True)
class Filter:
    """What a list can be narrowed by.

    Attributes:
        name: Of the field.
        choices: What there is; none for free text.
        needed: Whether one of them must be chosen.
    """

    name: str
    choices: Sequence[str] = ()
    needed: bool = False


@dataclass(frozen=True)
class Table:
    """A page of a list.

    Attributes:
        columns: Keys of the headings.
        filters: What it can be narrowed by.
        rows: The rows.
        after: Where the next page begins; None after the last.
        acts: What can be done to all its rows.
        usual: What is listed where nothing else is asked for, by the filters' names.
    """

    columns: Sequence[str]
    filters: Sequence[Filter]
    rows: Sequence[Row]
    after: str | None = None
    acts: Sequence[Act] = ()
    usual: Mapping[str, str] = field(default_factory=dict)


def span_of(asked: Mapping[str, str], now: datetime, usual: str) -> Span:
    """Which page is asked for: ``since`` names a span, ``after`` is a cursor.

    Raises:
        UnreadableError: They don't.
    """
    length = SPANS.get(asked.get("since") or usual)
    if length is None:
        raise UnreadableError
    at, row_id = cursor_of(asked.get("after", ""), now)
    try:
        return Span(now - length, at, UUID(row_id) if row_id else _LAST_ID, ROWS + 1)
    except ValueError:
        raise UnreadableError from None


def cursor_of(given: str, usual: datetime) -> tuple[datetime, str]:
    """The time and the id of a cursor.

    Raises:
        UnreadableError: It is none.
    """
    if not given:
        return usual, ""
    at, _, row_id = given.partition("~")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), row_id
    except (ValueError, OverflowError):
        raise UnreadableError from None


def cursor(at: datetime, row_id: object) -> str:
    """A cursor behind a row."""
    return f"{at.astimezone(UTC).isoformat()}~{row_id}"
