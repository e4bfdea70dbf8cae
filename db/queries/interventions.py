"""What people do by hand, recorded with who and why in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from db import json_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class By:
    """Who does something by hand, and why.

    Attributes:
        who: A name or login; not blank.
        why: The reason, as it is to be read later; not blank.
    """

    who: str
    why: str


_RECORD = text("""
    insert into fleet.interventions (at, who, why, action, subject, details)
    select coalesce(cast(:at as timestamptz), now()), :who, :why, :action, r.subject, r.details
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(subject uuid, details jsonb)
""")


def record(  # noqa: PLR0913 - a row's own columns
    session: Session,
    by: By,
    action: str,
    details: Mapping[str, object],
    subjects: list[UUID] | None = None,
    *,
    at: datetime | None = None,
) -> None:
    """Record an action: one row for each subject, or one row without any.

    Args:
        session: The transaction of the action itself.
        by: Who and why.
        action: What was done, such as ``retry``.
        details: What else is to be known of it; no personal data.
        subjects: The ids that it was done to.
        at: When; by the database's clock where it is not given.
    """
    rows = [{"subject": subject, "details": details} for subject in subjects or (None,)]
    values = {"at": at, "who": by.who, "why": by.why, "action": action, "rows": json_rows.dumps(rows)}
    session.execute(_RECORD, values)
