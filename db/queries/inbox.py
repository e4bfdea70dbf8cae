"""The inbox: callbacks of providers, stored raw and once, worked off like any other queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback that is due."""

    provider: str
    callback_id: str
    received_at: datetime
    body: Mapping[str, Any]


# What is known already keeps the way by which it was learned first.
_STORE = text("""
    with stored as (
      insert into fleet.inbox (provider, callback_id, body, learned)
      select :provider, callback_id, body, :learned
      from jsonb_to_recordset(cast(:rows as jsonb)) as r(callback_id text, body jsonb)
      on conflict do nothing
      returning 1
    )
    select count(*), pg_notify('fleet', case when :provider = 'stripe' then 'payments' else 'inbox' end)
    from stored
""")

_CLAIM = text("""
    select provider, callback_id, received_at, body from fleet.inbox
    where due_at <= greatest(:now, now()) and handled_at is null and parked_at is null
      and provider <> all(:others)
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

_POSTPONE = text("""
    update fleet.inbox i set due_at = :due_at
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(provider text, callback_id text)
    where i.provider = r.provider and i.callback_id = r.callback_id
""")

_RETIRE = text("""
    delete from fleet.inbox where ctid = any(array(
      select ctid from fleet.inbox where handled_at < :before limit :limit))
""")


def store(session: Session, provider: str, rows: str, learned: str = "PUSHED") -> int:
    """Store callbacks under the provider's own ids, given as a JSON array of ``{callback_id, body}``.

    Args:
        session: The transaction.
        provider: Whose.
        rows: The callbacks.
        learned: ``PUSHED`` where the provider has told them, ``POLLED`` where it had to be asked.

    Returns:
        How many were new.
    """
    values = {"provider": provider, "rows": rows, "learned": learned}
    return int(session.execute(_STORE, values).scalar_one())


def claim(session: Session, others: Sequence[str], limit: int, now: datetime) -> list[Callback]:
    """Lock up to ``limit`` due callbacks for this transaction, but for those of some other providers."""
    values = {"others": list(others), "limit": limit, "now": now}
    return [Callback(**row) for row in session.execute(_CLAIM, values).mappings()]


def mark_handled(session: Session, rows: str, now: datetime) -> None:
    """Mark callbacks as handled, given as a JSON array of ``{provider, callback_id, handled_as}``."""
    session.execute(_HANDLED, {"rows": rows, "now": now})


def fail(session: Session, callback: Callback, error: str, park_after: int, now: datetime) -> None:
    """Record that a callback could not be worked off: due later, and parked after ``park_after`` tries."""
    values = {"provider": callback.provider, "callback_id": callback.callback_id}
    session.execute(_FAIL, values | {"error": error, "park_after": park_after, "now": now})


def postpone(session: Session, rows: str, due_at: datetime) -> None:
    """Leave callbacks for later, given as a JSON array of ``{provider, callback_id}``; no fault of theirs."""
    session.execute(_POSTPONE, {"rows": rows, "due_at": due_at})


def retire(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` callbacks that were handled before a time; return how many."""
    result: Any = session.execute(_RETIRE, {"before": before, "limit": limit})
    return int(result.rowcount)
