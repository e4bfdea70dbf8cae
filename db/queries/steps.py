"""A dossier on its way through the steps of its product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

ENDED: Final = ("COMPLETED", "CLOSED", "ERROR")
"""The statuses of dossiers that go no further by themselves."""

# True where the step requires document types and each has an approved document, of this step or of none. A
# step that the fleet has ended once and that is open again is a person's doing, and waits for one.
APPROVED: Final = """
    coalesce((
      select bool_and(exists (
        select from public.documents handed_in
        where handed_in.dossier_id = {dossier} and handed_in.document_type_id = required.id
          and handed_in.status::text = 'APPROVED'
          and (handed_in.step_instance_id = {instance} or handed_in.step_instance_id is null)))
      from public.document_types required where required.required_step_id = {step}), false)
    and not exists (select from fleet.step_completions done where done.step_instance_id = {instance})
"""


@dataclass(frozen=True, slots=True)
class Dossier:
    """A dossier, as far as its way is concerned.

    Attributes:
        dossier_id: Which.
        status: Its status.
        product_id: Of the product that says its steps; None where that is gone.
        product: That product's code.
        current: The instance of its current step, if it has one.
    """

    dossier_id: UUID
    status: str
    product_id: UUID | None
    product: str | None
    current: UUID | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a product, and how far a dossier is with it.

    Attributes:
        step_id: Which.
        instance_id: The dossier's own; None where it has none yet.
        started: Whether it was started.
        completed: Whether it was completed, by whomever.
        approved: Whether it ends by itself: it requires documents, and all are approved.
    """

    step_id: UUID
    instance_id: UUID | None
    started: bool
    completed: bool
    approved: bool


# Nothing is waited for: whoever waits here holds a row that the application's statement may be waiting for.
# A document's insert refers to its dossier, which this lock, unlike one "for update", lets it.
_HOLD = text("""
    with dossier as materialized (
      select id from public.dossiers where id = :dossier_id for no key update skip locked
    ), instances as materialized (
      select id from public.step_instances where dossier_id = :dossier_id for no key update skip locked
    )
    select (select count(*) from dossier) = (select count(*) from public.dossiers where id = :dossier_id)
      and (select count(*) from instances) =
          (select count(*) from public.step_instances where dossier_id = :dossier_id)
""")

_DOSSIER = text("""
    select d.id as dossier_id, d.status::text as status, d.product_id, p.code as product,
           d.current_step_instance_id as current
    from public.dossiers d
    left join public.products p on p.id = d.product_id
    where d.id = :dossier_id
""")

_STEPS = text(f"""
    select place.step_id, i.id as instance_id, i.started_at is not null as started,
           i.completed_at is not null as completed,
           {APPROVED.format(dossier="d.id", step="place.step_id", instance="i.id")} as approved
    from public.dossiers d
    join public.product_steps place on place.product_id = d.product_id
    left join public.step_instances i on i.dossier_id = d.id and i.step_id = place.step_id
    where d.id = :dossier_id
    order by place.position
""")  # noqa: S608  a constant of this module

_COMPLETE = text("""
    with completed as (
      update public.step_instances set completed_at = greatest(:now, started_at)
      where id = :instance_id
      returning id, dossier_id, completed_at
    )
    insert into fleet.step_completions (step_instance_id, dossier_id, completed_at)
    select id, dossier_id, completed_at from completed
""")

_START = text("""
    insert into public.step_instances as i (dossier_id, step_id, started_at)
    values (:dossier_id, :step_id, :now)
    on conflict (dossier_id, step_id) do update set started_at = coalesce(i.started_at, excluded.started_at)
    returning id
""")

_MAKE_CURRENT = text("""
    update public.dossiers set current_step_instance_id = :instance_id where id = :dossier_id
""")

_END = text("""
    update public.dossiers set status = 'COMPLETED', completed_at = greatest(:now, created_at)
    where id = :dossier_id
""")


def hold(session: Session, dossier_id: UUID) -> bool:
    """Lock a dossier and its step instances for this transaction, or say that somebody else has them now.

    A dossier that is gone has nothing to be locked, and is held.
    """
    return bool(session.scalar(_HOLD, {"dossier_id": dossier_id}))


def dossier(session: Session, dossier_id: UUID) -> Dossier | None:
    """Read a dossier; None where it is gone."""
    row = session.execute(_DOSSIER, {"dossier_id": dossier_id}).mappings().one_or_none()
    return Dossier(**row) if row else None


def of(session: Session, dossier_id: UUID) -> list[Step]:
    """The steps of a dossier's product, by position."""
    return [Step(**row) for row in session.execute(_STEPS, {"dossier_id": dossier_id}).mappings()]


def complete(session: Session, instance_id: UUID, now: datetime) -> None:
    """Complete a step, not before its start, and record that the fleet has done it."""
    session.execute(_COMPLETE, {"instance_id": instance_id, "now": now})


def start(session: Session, dossier_id: UUID, step_id: UUID, now: datetime) -> UUID:
    """Start a step unless it was started before; the id of its instance, made if need be, comes back."""
    values = {"dossier_id": dossier_id, "step_id": step_id, "now": now}
    instance_id: UUID = session.execute(_START, values).scalar_one()
    return instance_id


def make_current(session: Session, dossier_id: UUID, instance_id: UUID) -> None:
    """Set a dossier's current step."""
    session.execute(_MAKE_CURRENT, {"dossier_id": dossier_id, "instance_id": instance_id})


def end(session: Session, dossier_id: UUID, now: datetime) -> None:
    """Complete a dossier; the platform's trigger writes the event and the history of the status."""
    session.execute(_END, {"dossier_id": dossier_id, "now": now})
