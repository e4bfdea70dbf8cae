"""The outbox: events to fan out, and what is known about each when it is worked off."""

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
class EventFacts:
    """An event and what the platform's tables say about its subject at this moment.

    ``user_id`` is None where the event leads to no person.
    """

    event_id: UUID
    created_at: datetime
    event_type: str
    entity_type: str
    entity_id: UUID
    actor_type: str | None
    payload: Mapping[str, Any]
    user_id: UUID | None
    full_name: str | None
    email: str | None
    phone: str | None
    dossier_id: UUID | None
    dossier_reference: str | None
    product: str | None
    document_code: str | None
    document_label: str | None
    review_status: str | None
    review_reason: str | None
    step_code: str | None
    step_label: str | None
    next_step_code: str | None
    next_step_label: str | None
    sender_type: str | None
    amount: int | None
    currency: str | None


_CLAIM = text("""
    select event_id from fleet.outbox
    where due_at <= greatest(:now, now()) and parked_at is null
    order by due_at
    limit :limit
    for update skip locked
""")

# An event names its subject by entity, or only in its payload: the entity is believed first.
_FACTS = text("""
    with subject as (
      select e.id, e.created_at, e.event_type, e.entity_type, e.entity_id, e.actor_type,
        lower(e.entity_type) as kind,
        case when jsonb_typeof(e.payload) = 'object' then e.payload else '{}'::jsonb end as facts
      from public.events e
      where e.id = any(:event_ids)
    )
    select
      s.id as event_id, s.created_at, s.event_type::text, s.entity_type, s.entity_id, s.actor_type::text,
      s.facts as payload,
      person.id as user_id, person.full_name, account.email, nullif(trim(person.phone), '') as phone,
      dossier.id as dossier_id,
      coalesce(nullif(trim(dossier.metadata ->> 'reference'), ''),
               upper(left(dossier.id::text, 8))) as dossier_reference,
      product.name as product,
      kind_of_document.code as document_code, kind_of_document.label as document_label,
      coalesce(s.facts ->> 'status', review.status::text) as review_status,
      coalesce(s.facts ->> 'reason', review.reason) as review_reason,
      step.code as step_code, step.label as step_label,
      next_step.code as next_step_code, next_step.label as next_step_label,
      coalesce(s.facts ->> 'sender_type', message.sender_type::text, s.actor_type::text) as sender_type,
      ord.amount, ord.currency
    from subject s
    left join public.messages message on message.id =
      case when s.kind = 'message' then s.entity_id else fleet.as_uuid(s.facts ->> 'message_id') end
    left join public.documents document on document.id =
      case when s.kind = 'document' then s.entity_id else fleet.as_uuid(s.facts ->> 'document_id') end
    left join public.document_types kind_of_document on kind_of_document.id = document.document_type_id
    left join lateral (
      select r.status, r.reason
      from public.document_reviews r
      join public.document_versions v on v.id = r.document_version_id
      where v.document_id = document.id and s.event_type::text = 'DOCUMENT_REVIEWED'
        and v.id = coalesce(
          fleet.as_uuid(coalesce(s.facts ->> 'version_id', s.facts ->> 'document_version_id')), v.id)
      order by r.reviewed_at desc
      limit 1
    ) review on true
    left join public.step_instances instance on instance.id =
      case when s.kind in ('step', 'step_instance') then s.entity_id
      else fleet.as_uuid(s.facts ->> 'step_instance_id') end
    left join public.orders ord on ord.id = coalesce(
      case when s.kind = 'order' then s.entity_id end,
      fleet.as_uuid(s.facts ->> 'order_id'),
      (select bought.id from public.orders bought
       where s.kind = 'dossier' and bought.dossier_id = s.entity_id
       order by bought.created_at desc limit 1))
    left join public.dossiers dossier on dossier.id = coalesce(
      case when s.kind = 'dossier' then s.entity_id end,
      document.dossier_id, instance.dossier_id, message.dossier_id, ord.dossier_id,
      fleet.as_uuid(s.facts ->> 'dossier_id'))
    left join public.products product on product.id = coalesce(dossier.product_id, ord.product_id)
    left join public.steps step on step.id =
      coalesce(instance.step_id, fleet.as_uuid(s.facts ->> 'step_id'))
    left join public.product_steps place on place.product_id = dossier.product_id and place.step_id = step.id
    left join lateral (
      select following.code, following.label
      from public.product_steps after
      join public.steps following on following.id = after.step_id
      where after.product_id = place.product_id and after.position > place.position
      order by after.position
      limit 1
    ) next_step on true
    left join public.profiles person on person.id = coalesce(
      dossier.user_id, ord.user_id,
      case when s.kind in ('profile', 'user') then s.entity_id end,
      fleet.as_uuid(s.facts ->> 'user_id'))
    left join auth.users account on account.id = person.id
""")

_FINISH = text("""
    with done as (
      insert into fleet.fanouts (event_id, fanned_out_at, outcome, reason)
      select event_id, :now, outcome, reason
      from jsonb_to_recordset(cast(:results as jsonb)) as r(event_id uuid, outcome text, reason text)
      on conflict (event_id) do nothing
      returning event_id
    )
    delete from fleet.outbox where event_id = any(:event_ids)
""")

_TRIES = text("select tries from fleet.outbox where event_id = :event_id")

_FAIL = text("""
    update fleet.outbox
    set tries = tries + 1, last_error = :error, due_at = :due_at,
        parked_at = case when tries + 1 >= :park_after then cast(:now as timestamptz) end
    where event_id = :event_id
    returning parked_at is not null
""")


def tries(session: Session, event_id: UUID) -> int:
    """How often an event has failed so far."""
    return session.scalar(_TRIES, {"event_id": event_id}) or 0


def claim(session: Session, limit: int, now: datetime) -> list[UUID]:
    """Lock up to ``limit`` due events for this transaction; rows that another worker holds are passed over.

    The fan-out calls nobody outside, so the row lock is its lease: it ends with the transaction or the
    worker.
    """
    return list(session.scalars(_CLAIM, {"limit": limit, "now": now}))


def facts(session: Session, event_ids: Sequence[UUID]) -> list[EventFacts]:
    """Read the events and their subjects. An event that no longer exists is left out."""
    rows = session.execute(_FACTS, {"event_ids": list(event_ids)}).mappings()
    return [EventFacts(**row) for row in rows]


def finish(session: Session, results: str, event_ids: Sequence[UUID], now: datetime) -> None:
    """Mark events as fanned out and take them off the outbox.

    Args:
        session: The transaction of the fan-out.
        results: A JSON array of ``{event_id, outcome, reason}``, one for each event that exists.
        event_ids: All claimed events, those that have vanished included.
        now: The time to record.
    """
    session.execute(_FINISH, {"results": results, "event_ids": list(event_ids), "now": now})


def fail(  # noqa: PLR0913, PLR0917 - the values of one statement
    session: Session, event_id: UUID, error: str, due_at: datetime, park_after: int, now: datetime
) -> bool:
    """Record that an event could not be fanned out; park it after ``park_after`` tries.

    Returns:
        Whether it is parked now.
    """
    values = {"event_id": event_id, "error": error, "due_at": due_at, "park_after": park_after, "now": now}
    return bool(session.scalar(_FAIL, values))
