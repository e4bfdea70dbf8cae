"""Claimed reminders on their way, leased: to send one is to ask Stripe, and no transaction waits for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class ClaimedReminder:
    """A reminder to be sent.

    Attributes:
        order_id: Of which order.
        number: Which of it, counted from 1.
        last: Whether none follows.
        claimed_at: When it was due.
        tries: How often it has failed so far.
        forced: Whether a person wants it against the rules.
    """

    order_id: UUID
    number: int
    last: bool
    claimed_at: datetime
    tries: int = 0
    forced: bool = False


# Materialized: the locking select must run once, or more rows than the limit would be leased.
_LEASE = text("""
    with due as materialized (
      select order_id, number from fleet.reminders
      where state = 'CLAIMED' and parked_at is null and due_at <= greatest(:now, now())
      order by due_at
      limit :limit
      for update skip locked
    )
    update fleet.reminders r set due_at = :until
    from due
    where r.order_id = due.order_id and r.number = due.number
    returning r.order_id, r.number, r.last, r.claimed_at, r.tries, r.forced_by is not null as forced
""")
_LOCK = text("""
    select true from fleet.reminders
    where order_id = :order_id and number = :number and state = 'CLAIMED'
    for update
""")
_SENT = text("""
    update fleet.reminders r
    set state = 'SENT', session_id = :session_id, token = :token, sent_at = :now, last_error = null,
        amount = o.amount, currency = o.currency,
        notice_id = (select id from fleet.notices where notice_key = :notice_key)
    from public.orders o
    where r.order_id = :order_id and r.number = :number and r.state = 'CLAIMED' and o.id = r.order_id
""")
_SKIP = text("""
    update fleet.reminders set state = 'SKIPPED', reason = :reason, last = false
    where order_id = :order_id and number = :number and state = 'CLAIMED'
""")
_LATER = text("""
    update fleet.reminders m
    set due_at = r.due_at, tries = r.tries, last_error = r.error,
        parked_at = case when r.park then cast(:now as timestamptz) end
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(order_id uuid, number int, due_at timestamptz, tries int, error text, park boolean)
    where m.order_id = r.order_id and m.number = r.number and m.state = 'CLAIMED'
""")
_WAIT = text("""
    update fleet.reminders set due_at = :until
    where state = 'CLAIMED' and parked_at is null and due_at < :until
""")


def lease(session: Session, limit: int, now: datetime, until: datetime) -> list[ClaimedReminder]:
    """Take up to ``limit`` due reminders until a time; rows that another worker takes are passed over."""
    values = {"limit": limit, "now": now, "until": until}
    return [ClaimedReminder(**row) for row in session.execute(_LEASE, values).mappings()]


def lock(session: Session, order_id: UUID, number: int) -> bool:
    """Lock a reminder that is still to be sent; False where it is not."""
    return bool(session.scalar(_LOCK, {"order_id": order_id, "number": number}))


def sent(  # noqa: PLR0913, PLR0917 - the columns of one statement
    session: Session,
    order_id: UUID,
    number: int,
    session_id: str,
    token: str,
    notice_key: str,
    now: datetime,
) -> None:
    """Mark a reminder as sent, by the notice of that key."""
    values = {"order_id": order_id, "number": number, "session_id": session_id, "token": token}
    session.execute(_SENT, {**values, "notice_key": notice_key, "now": now})


def skip(session: Session, order_id: UUID, number: int, reason: str) -> None:
    """Mark a reminder as not to be sent: it is nobody's last then."""
    session.execute(_SKIP, {"order_id": order_id, "number": number, "reason": reason})


def later(session: Session, rows: str, now: datetime) -> None:
    """Leave reminders for later: a JSON array of ``{order_id, number, due_at, tries, error, park}``."""
    session.execute(_LATER, {"rows": rows, "now": now})


def wait(session: Session, until: datetime) -> None:
    """Let whatever is due before a time wait until then: Stripe answers nobody for now."""
    session.execute(_WAIT, {"until": until})
