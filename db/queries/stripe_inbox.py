"""The inbox's rows of Stripe, leased: to work one off is to ask Stripe, and no transaction waits for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event that is due, and no more of it than what it points to; nothing of that is checked yet.

    Attributes:
        callback_id: The event's own id.
        received_at: When it came.
        learned: ``PUSHED`` or ``POLLED``.
        tries: How often it has failed so far.
        event_type: Stripe's word for what happened.
        object_id: Of what it happened to.
        payment_id: The payment that this names.
        refunded: How much of it had been given back then; in a charge.
    """

    callback_id: str
    received_at: datetime
    learned: str
    tries: int
    event_type: str | None
    object_id: str | None
    payment_id: str | None
    refunded: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known already of some sessions and payments.

    Attributes:
        settled: With these an order was settled.
        refunded: How much was given back, by payment.
    """

    settled: frozenset[str]
    refunded: Mapping[str, int]


# The lease is the due time: a worker that dies leaves its rows due when it ends.
# Materialized: the locking select must run once, or more rows than the limit would be leased.
_LEASE = text("""
    with picked as materialized (
      select callback_id from fleet.inbox
      where due_at <= greatest(:now, now()) and handled_at is null and parked_at is null
        and provider = 'stripe'
      order by due_at, received_at
      limit :limit
      for update skip locked
    )
    update fleet.inbox i set due_at = :until
    from picked
    where i.provider = 'stripe' and i.callback_id = picked.callback_id
    returning i.callback_id, i.received_at, i.learned, i.tries, i.body ->> 'type' as event_type,
      i.body #>> '{data,object,id}' as object_id, i.body #>> '{data,object,payment_intent}' as payment_id,
      i.body #>> '{data,object,amount_refunded}' as refunded
""")

_HANDLED = text("""
    update fleet.inbox i set handled_at = :now, handled_as = r.handled_as, last_error = null
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(callback_id text, handled_as text)
    where i.provider = 'stripe' and i.callback_id = r.callback_id and i.handled_at is null
""")

_LATER = text("""
    update fleet.inbox i
    set due_at = r.due_at, tries = r.tries, last_error = r.error,
        parked_at = case when r.park then cast(:now as timestamptz) end
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(callback_id text, due_at timestamptz, tries int, error text, park boolean)
    where i.provider = 'stripe' and i.callback_id = r.callback_id and i.handled_at is null
""")

_WAIT = text("""
    update fleet.inbox set due_at = :until
    where provider = 'stripe' and handled_at is null and parked_at is null and due_at < :until
""")

_STORED = text("""
    select callback_id from fleet.inbox where provider = 'stripe' and callback_id = any(:callback_ids)
""")

_WAITING = text("""
    select count(*) from fleet.inbox
    where provider = 'stripe' and handled_at is null and parked_at is null
""")

_SETTLED = text("""
    select session_id from fleet.settlements where session_id = any(:stripes_ids)
    union all
    select payment_intent_id from fleet.settlements where payment_intent_id = any(:stripes_ids)
""")


_REFUNDED = text("""
    select payment_intent_id, refunded from fleet.payments where payment_intent_id = any(:stripes_ids)
""")


def known(session: Session, stripes_ids: Sequence[str]) -> Known:
    """What is known of these sessions and payments."""
    values = {"stripes_ids": list(stripes_ids)}
    refunds = session.execute(_REFUNDED, values)
    return Known(
        frozenset(session.scalars(_SETTLED, values)),
        {row.payment_intent_id: row.refunded for row in refunds},
    )


def waiting(session: Session) -> int:
    """How many events are still to be worked off, due or not."""
    return session.scalar(_WAITING) or 0


def stored(session: Session, callback_ids: Sequence[str]) -> set[str]:
    """Those of these events that lie in the inbox."""
    return set(session.scalars(_STORED, {"callback_ids": list(callback_ids)}))


def lease(session: Session, limit: int, now: datetime, until: datetime) -> list[EventRow]:
    """Take up to ``limit`` due events until a time; rows that another worker takes are passed over."""
    values = {"limit": limit, "now": now, "until": until}
    return [EventRow(**row) for row in session.execute(_LEASE, values).mappings()]


def mark_handled(session: Session, rows: str, now: datetime) -> None:
    """Mark events as handled, given as a JSON array of ``{callback_id, handled_as}``."""
    session.execute(_HANDLED, {"rows": rows, "now": now})


def later(session: Session, rows: str, now: datetime) -> None:
    """Leave events for later, given as a JSON array of ``{callback_id, due_at, tries, error, park}``."""
    session.execute(_LATER, {"rows": rows, "now": now})


def wait(session: Session, until: datetime) -> None:
    """Let whatever is due before a time wait until then: Stripe answers nobody for now."""
    session.execute(_WAIT, {"until": until})
