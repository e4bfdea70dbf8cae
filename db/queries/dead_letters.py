"""Rows that were parked because they keep failing, or wait for a person: listed, and replayed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked row.

    Attributes:
        queue: Where it was due: ``fanout``, ``notices``, ``advances``, ``reminders``, ``inbox``,
            ``payments``, or a channel's.
        id: Of the event, the notice, the dossier, the delivery, the callback (``provider/its id``), or the
            reminder (``order/its number``).
        parked_at: Since when it lies there.
        tries: How often it was tried.
        error: Why it was parked: a class of error or a code.
    """

    queue: str
    id: str
    parked_at: datetime
    tries: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Meant:
    """Which dead letters are meant; None means any.

    Attributes:
        queue: Of this queue.
        ids: These.
        error: Parked with this error.
        since: Parked at this time or later.
    """

    queue: str | None = None
    ids: Sequence[str] | None = None
    error: str | None = None
    since: datetime | None = None


_LIST = text("""
    select * from (
      select 'fanout' as queue, event_id::text as id, parked_at, tries, last_error as error
      from fleet.outbox where parked_at is not null
      union all
      select lower(channel), delivery_id::text, parked_at, tries, last_code
      from fleet.dispatch where parked_at is not null
      union all
      select 'notices', id::text, parked_at, tries, last_error
      from fleet.notices where parked_at is not null and told_at is null
      union all
      select 'advances', dossier_id::text, parked_at, tries, last_error
      from fleet.advances where parked_at is not null
      union all
      select 'reminders', order_id || '/' || number, parked_at, tries, last_error
      from fleet.reminders where parked_at is not null and state = 'CLAIMED'
      union all
      select case provider when 'stripe' then 'payments' else 'inbox' end, provider || '/' || callback_id,
        parked_at, tries, last_error
      from fleet.inbox where parked_at is not null and handled_at is null
    ) parked
    where (cast(:queue as text) is null or queue = :queue)
      and (cast(:ids as text[]) is null or id = any(:ids))
      and (cast(:error as text) is null or error = :error)
      and (cast(:since as timestamptz) is null or parked_at >= :since)
    order by parked_at, queue, id
    limit :limit
""")

_EVENTS = text("""
    update fleet.outbox set parked_at = null, tries = 0, due_at = :now
    where event_id = any(cast(:ids as uuid[])) and parked_at is not null
""")

_NOTICES = text("""
    update fleet.notices set parked_at = null, tries = 0, due_at = :now
    where id = any(cast(:ids as uuid[])) and parked_at is not null
""")

_ADVANCES = text("""
    update fleet.advances set parked_at = null, tries = 0, due_at = :now
    where dossier_id = any(cast(:ids as uuid[])) and parked_at is not null
""")

_REMINDERS = text("""
    update fleet.reminders set parked_at = null, tries = 0, due_at = :now
    where order_id || '/' || number = any(:ids) and parked_at is not null and state = 'CLAIMED'
""")

# Whoever replays a send of unknown outcome has decided that it is to be sent again.
_DELIVERIES = text("""
    with released as (
      update fleet.dispatch set parked_at = null, tries = 0, due_at = :now, lease_until = null
      where delivery_id = any(cast(:ids as uuid[])) and parked_at is not null
      returning delivery_id
    )
    update fleet.attempts a set closed_at = :now, outcome = 'NO_EVIDENCE', evidence = 'NONE'
    from released where a.delivery_id = released.delivery_id and a.closed_at is null
""")

_CALLBACKS = text("""
    update fleet.inbox set parked_at = null, tries = 0, due_at = :now
    where provider || '/' || callback_id = any(:ids) and parked_at is not null
""")

_REPLAYS = {
    "fanout": _EVENTS,
    "notices": _NOTICES,
    "advances": _ADVANCES,
    "reminders": _REMINDERS,
    "inbox": _CALLBACKS,
    "payments": _CALLBACKS,
}
"""The queues of one statement each; all others are channels."""

_WAKE = text("select pg_notify('fleet', :queue)")


def find(session: Session, meant: Meant, limit: int = 1000) -> list[DeadLetter]:
    """Parked rows that are meant, the oldest first."""
    ids = None if meant.ids is None else list(meant.ids)
    values = {"queue": meant.queue, "ids": ids, "error": meant.error, "since": meant.since, "limit": limit}
    return [DeadLetter(**row) for row in session.execute(_LIST, values).mappings()]


def replay(session: Session, letters: Sequence[DeadLetter], now: datetime) -> None:
    """Make parked rows due again; what is no longer parked is left alone."""
    for queue in sorted({letter.queue for letter in letters}):
        ids = [letter.id for letter in letters if letter.queue == queue]
        session.execute(_REPLAYS.get(queue, _DELIVERIES), {"ids": ids, "now": now})
        session.execute(_WAKE, {"queue": queue})
