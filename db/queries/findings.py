"""Findings: what does not agree between the platform and Stripe, each kept once, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from db import json_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding.

    Attributes:
        id: Its id.
        kind: What kind it is of.
        subject: What it is about, Stripe's id mostly; with the kind it is unique.
        order_id: The order concerned.
        details: What was found: ids, amounts, Stripe's words.
        done: What was done about it.
        found_at: When it was found.
        seen_at: When it was seen last.
        resolved_at: When somebody called it resolved.
        resolved_by: Who.
        note: What they had to say.
    """

    id: UUID
    kind: str
    subject: str
    order_id: UUID | None
    details: Mapping[str, Any]
    done: str
    found_at: datetime
    seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None


_COLUMNS = "id, kind, subject, order_id, details, done, found_at, seen_at, resolved_at, resolved_by, note"
_PUT = text("""
    insert into fleet.findings as f (kind, subject, order_id, details, done, found_at, seen_at)
    select :kind, :subject, :order_id, r.details, :done, :now, :now
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(details jsonb)
    on conflict (kind, subject) do update
    set order_id = coalesce(excluded.order_id, f.order_id), details = excluded.details,
        done = excluded.done, seen_at = greatest(f.seen_at, excluded.seen_at)
    returning xmax = 0
""")
_LISTING = text(f"""
    select {_COLUMNS} from fleet.findings
    where (resolved_at is null or not :open_only) and (cast(:kind as text) is null or kind = :kind)
    order by found_at desc, id
    limit :limit
""")  # noqa: S608 - our own names
_ONE = text(f"select {_COLUMNS} from fleet.findings where id = :id")  # noqa: S608 - our own names
_ABOUT = text(f"""
    select {_COLUMNS} from fleet.findings where kind = :kind and subject = :subject
""")  # noqa: S608 - our own names
_RESOLVE = text("""
    update fleet.findings set resolved_at = :now, resolved_by = :who, note = :note
    where id = :id and resolved_at is null
    returning true
""")


def put(  # noqa: PLR0913, PLR0917 - a row's own columns
    session: Session,
    kind: str,
    subject: str,
    details: Mapping[str, object],
    done: str,
    now: datetime,
    *,
    order_id: UUID | None = None,
) -> bool:
    """Keep a finding; one that is seen again keeps its beginning, and stays resolved if it is.

    Returns:
        Whether it is new.
    """
    values = {
        "kind": kind,
        "subject": subject,
        "order_id": order_id,
        "rows": json_rows.dumps([{"details": details}]),
        "done": done,
        "now": now,
    }
    return bool(session.scalar(_PUT, values))


def listing(session: Session, open_only: bool, kind: str | None, limit: int) -> list[FindingRow]:  # noqa: FBT001 - as the command's flag
    """Those that nobody has resolved, or all, of one kind or of any; the newest first."""
    values = {"open_only": open_only, "kind": kind, "limit": limit}
    return [FindingRow(**row) for row in session.execute(_LISTING, values).mappings()]


def one(session: Session, finding_id: UUID) -> FindingRow | None:
    """One by its id."""
    row = session.execute(_ONE, {"id": finding_id}).mappings().first()
    return None if row is None else FindingRow(**row)


def about(session: Session, kind: str, subject: str) -> FindingRow | None:
    """The one of a kind about a subject."""
    row = session.execute(_ABOUT, {"kind": kind, "subject": subject}).mappings().first()
    return None if row is None else FindingRow(**row)


def resolve(session: Session, finding_id: UUID, who: str, note: str, now: datetime) -> bool:
    """Call one resolved; False where there is none, or it is resolved already."""
    values = {"id": finding_id, "who": who, "note": note, "now": now}
    return bool(session.scalar(_RESOLVE, values))
