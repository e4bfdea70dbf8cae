"""Dossiers of which a document was approved: does their current step end?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from db.queries.steps import APPROVED, ENDED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

_CLAIM = text("""
    select dossier_id from fleet.advances
    where due_at <= greatest(:now, now()) and parked_at is null
    order by due_at
    limit :limit
    for update skip locked
""")

_FINISH = text("delete from fleet.advances where dossier_id = any(:dossier_ids)")

_POSTPONE = text("update fleet.advances set due_at = :until where dossier_id = any(:dossier_ids)")

_TRIES = text("select tries from fleet.advances where dossier_id = :dossier_id")

_FAIL = text("""
    update fleet.advances
    set tries = tries + 1, last_error = :error, due_at = :due_at,
        parked_at = case when tries + 1 >= :park_after then cast(:now as timestamptz) end
    where dossier_id = :dossier_id
    returning parked_at is not null
""")

# No index leads to the documents that were approved lately; one does to the events of these days, and an
# approval is among them.
_ENQUEUE_MISSED = text(f"""
    insert into fleet.advances (dossier_id)
    select distinct d.id
    from public.events e
    join public.documents document on document.id = e.entity_id and document.status::text = 'APPROVED'
    join public.dossiers d on d.id = document.dossier_id
    join public.products p on p.id = d.product_id
    join public.step_instances i on i.id = d.current_step_instance_id
    where e.created_at >= greatest(:since, (select installed_at from fleet.installation))
      and e.created_at <= :before
      and e.event_type::text = 'DOCUMENT_REVIEWED' and lower(e.entity_type) = 'document'
      and d.status::text <> all(:ended) and p.code <> all(:manual)
      and i.started_at is not null and i.completed_at is null
      and {APPROVED.format(dossier="d.id", step="i.step_id", instance="i.id")}
    on conflict do nothing
""")  # noqa: S608  constants of these modules


def claim(session: Session, limit: int, now: datetime) -> list[UUID]:
    """Lock up to ``limit`` due rows for this transaction; those that another worker holds are passed over.

    What a transaction of the application's is writing just now is passed over as well. It comes back with
    that transaction's commit, so an approval is never taken off the queue unseen.
    """
    return list(session.scalars(_CLAIM, {"limit": limit, "now": now}))


def finish(session: Session, dossier_ids: Sequence[UUID]) -> None:
    """Take dossiers off the queue."""
    session.execute(_FINISH, {"dossier_ids": list(dossier_ids)})


def postpone(session: Session, dossier_ids: Sequence[UUID], until: datetime) -> None:
    """Leave dossiers in the queue until then, at the cost of no try."""
    session.execute(_POSTPONE, {"dossier_ids": list(dossier_ids), "until": until})


def tries(session: Session, dossier_id: UUID) -> int:
    """How often a dossier has failed so far."""
    return session.scalar(_TRIES, {"dossier_id": dossier_id}) or 0


def fail(  # noqa: PLR0913, PLR0917 - the values of one statement
    session: Session, dossier_id: UUID, error: str, due_at: datetime, park_after: int, now: datetime
) -> bool:
    """Record that a dossier could not be worked off; park it after ``park_after`` tries.

    Returns:
        Whether it is parked now.
    """
    values: dict[str, Any] = {"dossier_id": dossier_id, "error": error, "due_at": due_at}
    return bool(session.scalar(_FAIL, values | {"park_after": park_after, "now": now}))


def enqueue_missed(session: Session, since: datetime, before: datetime, manual: Collection[str]) -> int:
    """Queue the dossiers whose current step ends and whose approval the trigger has missed.

    Reads the reviews of a span of time, by the index of the events' times, and no dossier besides theirs.

    Args:
        session: The transaction.
        since: Reviews older than this are not looked at.
        before: What is younger is left to the trigger.
        manual: The codes of products whose dossiers are left to people.

    Returns:
        How many were queued.
    """
    values = {"since": since, "before": before, "manual": list(manual), "ended": list(ENDED)}
    result: Any = session.execute(_ENQUEUE_MISSED, values)
    return int(result.rowcount)
