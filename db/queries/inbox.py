"""The inbox: callbacks of providers, stored raw and once, worked off like any other queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback that is due."""

    provider: str
    callback_id: str
    body: Mapping[str, Any]


_STORE = text("""
    with stored as (
      insert into fleet.inbox (provider, callback_id, body)
      select :provider, callback_id, body
      from jsonb_to_recordset(cast(:rows as jsonb)) as r(callback_id text, body jsonb)
      on conflict do nothing
      returning 1
    )
    select count(*), pg_notify('fleet', 'inbox') from stored
""")

_CLAIM = text("""
    select provider, callback_id, body from fleet.inbox
    where due_at <= greatest(:now, now()) and handled_at is null and parked_at is null
    order by due_at
    limit :limit
    for update skip locked
""")

_HANDLED = text("""
    update fleet.inbox i set handled_at = :now, handled_as = r.handled_as
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(provider text, callback_id text, handled_as text)
    where i.provider = r.provider and i.callback_id = r.callback_id
""")

_FAIL = text("""
    update fleet.inbox
    set tries = tries + 1, last_error = :error,
        due_at = cast(:now as timestamptz) + tries * interval '1 minute',
        parked_at = case when tries + 1 >= :park_after then cast(:now as timestamptz) end
    where provider = :provider and callback_id = :callback_id
""")

# A delivery that is no longer PENDING keeps its word, but for one that failed for want of this very proof.
_ACCEPTED = text("""
    with proof as (
      select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(token uuid, message_id text)
    ), closed as (
      update fleet.attempts a
      set closed_at = :now, outcome = 'ACCEPTED', evidence = 'CALLBACK', provider_message_id = p.message_id
      from proof p
      where a.token = p.token and (a.closed_at is null or a.outcome = 'NO_EVIDENCE')
      returning a.token, a.delivery_id, a.provider, a.provider_message_id
    ), written as (
      update public.notification_deliveries d
      set status = 'SENT', sent_at = :now, failed_at = null, provider = c.provider,
          provider_message_id = c.provider_message_id, provider_response = '{"evidence": "callback"}'
      from closed c
      where d.id = c.delivery_id
        and (d.status::text = 'PENDING'
             or (d.status::text = 'FAILED' and d.provider_response ->> 'code' = 'no_evidence'))
    ), ended as (
      delete from fleet.dispatch q using closed c where q.delivery_id = c.delivery_id
    )
    select token from closed
""")


def store(session: Session, provider: str, rows: str) -> int:
    """Store callbacks under the provider's own ids, given as a JSON array of ``{callback_id, body}``.

    Returns:
        How many were new.
    """
    return int(session.execute(_STORE, {"provider": provider, "rows": rows}).scalar_one())


def claim(session: Session, limit: int, now: datetime) -> list[Callback]:
    """Lock up to ``limit`` due callbacks for this transaction."""
    return [Callback(**row) for row in session.execute(_CLAIM, {"limit": limit, "now": now}).mappings()]


def mark_handled(session: Session, rows: str, now: datetime) -> None:
    """Mark callbacks as handled, given as a JSON array of ``{provider, callback_id, handled_as}``."""
    session.execute(_HANDLED, {"rows": rows, "now": now})


def fail(session: Session, callback: Callback, error: str, park_after: int, now: datetime) -> None:
    """Record that a callback could not be worked off: due later, and parked after ``park_after`` tries."""
    values = {"provider": callback.provider, "callback_id": callback.callback_id}
    session.execute(_FAIL, values | {"error": error, "park_after": park_after, "now": now})


def settle_by_callback(session: Session, rows: str, now: datetime) -> set[str]:
    """Close attempts of unknown outcome as accepted, given a JSON array of ``{token, message_id}``.

    Returns:
        The tokens of the attempts that were open.
    """
    return {str(token) for token in session.scalars(_ACCEPTED, {"rows": rows, "now": now})}
