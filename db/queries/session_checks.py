"""When the Checkout Sessions of pending orders are to be looked at next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """A session that is due to be looked at.

    Attributes:
        session_id: Which.
        order_id: Whose.
        checks: How often it was looked at.
        wanted: Whether the order still waits for it: it is PENDING and names this session.
    """

    session_id: str
    order_id: UUID
    checks: int
    wanted: bool


# Read through the index on the orders' status; what has a row here already is left out by an anti join.
_PUT_DOWN = text("""
    insert into fleet.session_checks (session_id, order_id, due_at)
    select o.stripe_checkout_session_id, o.id, greatest(o.created_at, o.updated_at) + :after
    from public.orders o
    where o.status = 'PENDING' and o.stripe_checkout_session_id is not null
      and greatest(o.created_at, o.updated_at) >= :since
      and not exists (
        select from fleet.session_checks c where c.session_id = o.stripe_checkout_session_id)
    on conflict do nothing
""")

_LEASE = text("""
    with due as materialized (
      select session_id, order_id from fleet.session_checks
      where due_at <= greatest(:now, now())
        and (lease_until is null or lease_until <= greatest(:now, now()))
      order by due_at
      limit :limit
      for update skip locked
    )
    update fleet.session_checks c set lease_until = :until
    from due left join public.orders o
      on o.id = due.order_id and o.stripe_checkout_session_id = due.session_id and o.status = 'PENDING'
    where c.session_id = due.session_id
    returning c.session_id, c.order_id, c.checks, o.id is not null as wanted
""")

_PLAN = text("""
    update fleet.session_checks c
    set due_at = r.due_at, lease_until = null, checks = c.checks + r.asked,
        last_state = coalesce(r.state, c.last_state)
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(session_id text, due_at timestamptz, asked int, state text)
    where c.session_id = r.session_id
""")

_RELEASE = text("update fleet.session_checks set lease_until = null where session_id = any(:session_ids)")

_LOOKED = text("""
    insert into fleet.session_checks as c (session_id, order_id, due_at, checks, last_state)
    values (:session_id, :order_id, :due_at, 1, :state)
    on conflict (session_id) do update set due_at = excluded.due_at, last_state = excluded.last_state
""")


def looked(session: Session, session_id: str, order_id: UUID, due_at: datetime | None, state: str) -> None:
    """Say that a session was looked at just now, and when it is due again; never, where None."""
    values = {"session_id": session_id, "order_id": order_id, "due_at": due_at, "state": state}
    session.execute(_LOOKED, values)


def put_down(session: Session, after: timedelta, since: datetime) -> None:
    """Have the sessions of pending orders looked at.

    Args:
        session: The transaction.
        after: How old each is to be the first time; how old it is, is told by when its order last changed.
        since: Orders that have not changed since then are left alone.
    """
    session.execute(_PUT_DOWN, {"after": after, "since": since})


def lease(session: Session, limit: int, now: datetime, until: datetime) -> list[SessionCheck]:
    """Take up to ``limit`` due sessions until a time; rows that another takes are passed over."""
    values = {"limit": limit, "now": now, "until": until}
    return [SessionCheck(**row) for row in session.execute(_LEASE, values).mappings()]


def plan(session: Session, rows: str) -> None:
    """Say when each is due next, if ever: a JSON array of ``{session_id, due_at, asked, state}``."""
    session.execute(_PLAN, {"rows": rows})


def release(session: Session, session_ids: list[str]) -> None:
    """Leave sessions to whoever comes next, due as they were."""
    session.execute(_RELEASE, {"session_ids": session_ids})
