"""All that is kept of a person, as one JSON document, written as it is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from db.queries import export, people
from services.notifications import traces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

FORMAT: Final = "fleet-gdpr-export"
VERSION: Final = 1
"""Counted up where a section goes or means something else; new sections and columns may come at any time."""


def document(session: Session, user_id: UUID, region: str, now: datetime) -> Iterator[str]:
    """Yield the document in pieces; a row is one line, and the same data make the same lines.

    Args:
        session: A transaction that has not begun; it sees one moment of the database throughout.
        user_id: The person.
        region: The country of numbers that are written without one.
        now: The time to note.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    person = people.find(session, user_id)
    scope = traces.scope(session, person, region)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "user_id": str(user_id),
        "email": person.email,
        "exported_at": now.isoformat(),
    }
    yield "{\n" + "".join(f"{_json(name)}: {_json(value)},\n" for name, value in head.items())
    yield '"sections": {'
    for number, (name, section) in enumerate(export.SECTIONS.items()):
        yield (",\n" if number else "\n") + f"{_json(name)}: ["
        separator = "\n"
        for row in export.rows(session, section, scope):
            yield separator + _json(row)
            separator = ",\n"
        yield "]"
    yield "\n}\n}\n"


def schema() -> dict[str, Any]:
    """Describe the document as a JSON Schema (draft 2020-12)."""
    head = {
        "format": {"const": FORMAT},
        "version": {"const": VERSION},
        "user_id": {"type": "string", "format": "uuid"},
        "email": {"type": ["string", "null"]},
        "exported_at": {"type": "string", "format": "date-time"},
    }
    sections = {
        name: {
            "description": section.holds,
            "type": "array",
            "items": {"type": "object", "required": section.columns},
        }
        for name, section in export.SECTIONS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the fleet and the platform's notification tables hold about a person",
        "type": "object",
        "required": [*head, "sections"],
        "properties": head
        | {"sections": {"type": "object", "required": list(sections), "properties": sections}},
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
