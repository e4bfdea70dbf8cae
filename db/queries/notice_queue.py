"""Notices on their way to people: what is due, whom it is for, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """A notice and what the platform says of its person at this moment.

    ``user_id`` is None where the platform has no such person any more, and ``dossier_id`` where it has no
    such dossier.
    """

    notice_id: UUID
    enqueued_at: datetime
    template_code: str
    payload: Mapping[str, Any]
    action_url: str | None
    user_id: UUID | None
    full_name: str | None
    email: str | None
    phone: str | None
    dossier_id: UUID | None


_CLAIM = text("""
    select id from fleet.notices
    where told_at is null and parked_at is null and due_at <= greatest(:now, now())
    order by due_at
    limit :limit
    for update skip locked
""")

_FACTS = text("""
    select
      n.id as notice_id, n.enqueued_at, n.template_code, n.payload, n.action_url,
      person.id as user_id, person.full_name, account.email, nullif(trim(person.phone), '') as phone,
      dossier.id as dossier_id
    from fleet.notices n
    left join public.profiles person on person.id = n.user_id
    left join auth.users account on account.id = n.user_id
    left join public.dossiers dossier on dossier.id = n.dossier_id
    where n.id = any(:notice_ids)
""")

_FINISH = text("""
    update fleet.notices n set told_at = :now, notification_id = r.notification_id
    from jsonb_to_recordset(cast(:results as jsonb)) as r(id uuid, notification_id uuid)
    where n.id = r.id
""")

_TRIES = text("select tries from fleet.notices where id = :id")

_FAIL = text("""
    update fleet.notices
    set tries = tries + 1, last_error = :error, due_at = :due_at,
        parked_at = case when tries + 1 >= :park_after then cast(:now as timestamptz) end
    where id = :id
    returning parked_at is not null
""")


def claim(session: Session, limit: int, now: datetime) -> list[UUID]:
    """Lock up to ``limit`` due notices for this transaction; those that another worker holds are passed over.

    Whoever tells them calls nobody outside, so the row lock is the lease, as for the outbox.
    """
    return list(session.scalars(_CLAIM, {"limit": limit, "now": now}))


def facts(session: Session, notice_ids: Sequence[UUID]) -> list[NoticeFacts]:
    """Read notices and their people."""
    rows = session.execute(_FACTS, {"notice_ids": list(notice_ids)}).mappings()
    return [NoticeFacts(**row) for row in rows]


def finish(session: Session, results: str, now: datetime) -> None:
    """Mark notices as told.

    Args:
        session: The transaction that has inserted the notifications.
        results: A JSON array of ``{id, notification_id}``; the latter is null where nobody was to be told.
        now: The time to record.
    """
    session.execute(_FINISH, {"results": results, "now": now})


def tries(session: Session, notice_id: UUID) -> int:
    """How often a notice has failed so far."""
    return session.scalar(_TRIES, {"id": notice_id}) or 0


def fail(  # noqa: PLR0913, PLR0917 - the values of one statement
    session: Session, notice_id: UUID, error: str, due_at: datetime, park_after: int, now: datetime
) -> bool:
    """Record that a notice could not be told; park it after ``park_after`` tries.

    Returns:
        Whether it is parked now.
    """
    values: dict[str, Any] = {"id": notice_id, "error": error, "due_at": due_at}
    return bool(session.scalar(_FAIL, values | {"park_after": park_after, "now": now}))
