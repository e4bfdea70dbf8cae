"""Dossiers: found, opened, and given the steps of their product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

_OF_ORDER = text("""
    select id from public.dossiers
    where user_id = :user_id and metadata ->> 'order_id' = cast(:order_id as text)
    order by created_at, id
    limit 1
""")
_OPEN = text("""
    insert into public.dossiers (user_id, product_id, type, status, metadata)
    select :user_id, p.id, p.dossier_type, p.initial_status,
      jsonb_build_object('order_id', cast(:order_id as text), 'created_via', 'payment_link')
    from public.products p where p.id = :product_id
    returning id
""")
_BEGIN_STEPS = text("""
    insert into public.step_instances (dossier_id, step_id, started_at)
    select d.id, ps.step_id,
      case when row_number() over (order by ps.position) = 1 then cast(:now as timestamptz) end
    from public.dossiers d join public.product_steps ps on ps.product_id = d.product_id
    where d.id = :dossier_id
      and not exists (select from public.step_instances si where si.dossier_id = d.id)
    order by ps.position
""")
_SET_CURRENT_STEP = text("""
    update public.dossiers d
    set current_step_instance_id = (
      select si.id
      from public.step_instances si
      join public.product_steps ps on ps.product_id = d.product_id and ps.step_id = si.step_id
      where si.dossier_id = d.id and si.started_at is not null and si.completed_at is null
      order by ps.position
      limit 1)
    where d.id = :dossier_id and d.current_step_instance_id is null and d.completed_at is null
""")
_REFERENCE = text("""
    select coalesce(nullif(trim(metadata ->> 'reference'), ''), upper(left(id::text, 8)))
    from public.dossiers where id = :dossier_id
""")


def of_order(session: Session, user_id: UUID, order_id: UUID) -> UUID | None:
    """The dossier that names an order as its own, whether the order names it or not."""
    values = {"user_id": user_id, "order_id": str(order_id)}
    found: UUID | None = session.scalar(_OF_ORDER, values)
    return found


def open_one(session: Session, user_id: UUID, product_id: UUID, order_id: UUID) -> UUID:
    """Open a dossier with its product's type and initial status; it has no steps yet."""
    values = {"user_id": user_id, "product_id": product_id, "order_id": str(order_id)}
    dossier_id: UUID = session.execute(_OPEN, values).scalar_one()
    return dossier_id


def begin_steps(session: Session, dossier_id: UUID, now: datetime) -> None:
    """Give a dossier without steps those of its product, the first one started, and name its current one."""
    session.execute(_BEGIN_STEPS, {"dossier_id": dossier_id, "now": now})
    session.execute(_SET_CURRENT_STEP, {"dossier_id": dossier_id})


def reference(session: Session, dossier_id: UUID) -> str | None:
    """What people call a dossier by."""
    found: str | None = session.scalar(_REFERENCE, {"dossier_id": dossier_id})
    return found
