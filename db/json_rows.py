"""Rows on their way into a statement: one JSON array is one parameter, whatever the size of the batch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID


def _plain(value: object) -> object:
    match value:
        case str():
            # PostgreSQL's jsonb holds no NUL character, and in a text for people it can mean nothing.
            return value.replace("\0", "").encode(errors="replace").decode()
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_plain(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def dumps(rows: Iterable[Mapping[str, object]]) -> str:
    """Write rows for ``jsonb_to_recordset``; ids and times as text, NUL characters left out."""
    return json.dumps([_plain(row) for row in rows], ensure_ascii=False)
