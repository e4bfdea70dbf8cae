"""What else operators see in lists: rows of a queue, reminders, payments, and what was done by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from db.queries.findings import FindingRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.overview_tries import Span


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of a queue that is not parked.

    Attributes:
        id: Of the event, notice, dossier, delivery or attempt; ``provider/its id`` of a callback.
        at: When it is, or was, due.
        tries: How often it was tried.
        error: What the last try ended with.
        held: Whether a worker has it.
    """

    id: str
    at: datetime
    tries: int
    error: str | None
    held: bool


@dataclass(frozen=True, slots=True)
class Reminded:
    """A reminder of an unpaid order; see ``fleet.reminders``."""

    order_id: UUID
    number: int
    at: datetime
    state: str
    reason: str | None
    sent_at: datetime | None
    clicked_at: datetime | None
    paid_at: datetime | None
    notice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A payment that was settled; see ``fleet.settlements``."""

    order_id: UUID
    at: datetime
    learned: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person did; see ``fleet.interventions``."""

    id: UUID
    at: datetime
    who: str
    action: str
    why: str
    subject: UUID | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """An event or a notice.

    Attributes:
        id: Its id.
        at: When it was written.
        what: The event's type, or the notice's template.
    """

    id: UUID
    at: datetime
    what: str


_HELD: Final = "coalesce(lease_until > :now, false)"
_CALLBACKS: Final = (
    "fleet.inbox",
    "provider || '/' || callback_id",
    "last_error",
    "false",
    "handled_at is null and parked_at is null and provider {} 'stripe'",
)
_SOURCES: Final = {
    "fanout": ("fleet.outbox", "event_id::text", "last_error", "false", "parked_at is null"),
    "notices": ("fleet.notices", "id::text", "last_error", "false", "told_at is null and parked_at is null"),
    "advances": ("fleet.advances", "dossier_id::text", "last_error", "false", "parked_at is null"),
    "inbox": (*_CALLBACKS[:4], _CALLBACKS[4].format("<>")),
    "payments": (*_CALLBACKS[:4], _CALLBACKS[4].format("=")),
    "lookups": ("fleet.lookups", "token::text", "last_error", _HELD, "true"),
    "reminders": (
        "fleet.reminders",
        "order_id::text || '/' || number",
        "last_error",
        "false",
        "state = 'CLAIMED' and parked_at is null",
    ),
}
"""The table of each queue, its rows' id, error and whether they are held, and which of them are open."""

_CHANNEL: Final = (
    "fleet.dispatch",
    "delivery_id::text",
    "last_code",
    _HELD,
    "channel = upper(:queue) and parked_at is null",
)
_WAITING: Final = """
    select {id} as id, due_at as at, tries, {error} as error, {held} as held
    from {table}
    where {open} and due_at >= :after and (due_at > :after or {id} > :after_id)
    order by due_at, {id}
    limit :limit
"""

_REMINDERS = text("""
    select order_id, number, coalesce(sent_at, claimed_at) as at, state, reason, sent_at, clicked_at, paid_at,
      notice_id
    from fleet.reminders
    where coalesce(sent_at, claimed_at) > :since
      and (coalesce(sent_at, claimed_at), order_id) < (:at, :row_id)
      and case :which when 'sent' then state = 'SENT' when 'clicked' then clicked_at is not null
        when 'paid' then paid_at is not null else true end
    order by coalesce(sent_at, claimed_at) desc, order_id desc
    limit :limit
""")
_SETTLED = text("""
    select order_id, settled_at as at, learned, amount, currency
    from fleet.settlements
    where settled_at > :since and (settled_at, order_id) < (:at, :row_id)
      and (cast(:learned as text) is null or learned = :learned)
    order by settled_at desc, order_id desc
    limit :limit
""")
_BY_HAND = text("""
    select id, at, who, action, why, subject, details
    from fleet.interventions
    where at > :since and (at, id) < (:at, :row_id)
    order by at desc, id desc
    limit :limit
""")
_FINDINGS = text("""
    select id, kind, subject, order_id, details, done, found_at, seen_at, resolved_at, resolved_by, note
    from fleet.findings
    where found_at > :since and (found_at, id) < (:at, :row_id)
      and (:resolved or resolved_at is null) and (cast(:kind as text) is null or kind = :kind)
    order by found_at desc, id desc
    limit :limit
""")
_ABOUT = text("""
    select id, created_at as at, event_type::text as what
    from public.events where entity_type = 'order' and entity_id = :order_id
    union all
    select n.id, n.enqueued_at, n.template_code
    from public.orders o
    join fleet.notices n on n.user_id = o.user_id and n.order_id = o.id
    where o.id = :order_id
    order by at, id
""")


def waiting(  # noqa: PLR0913, PLR0917 - a page and its beginning
    session: Session, queue: str, after: datetime, after_id: str, limit: int, now: datetime
) -> list[Waiting]:
    """Rows of a queue, the longest due first, from after a row on; a channel's name is a queue's."""
    table, row_id, error, held, condition = _SOURCES.get(queue, _CHANNEL)
    statement = _WAITING.format(table=table, id=row_id, error=error, held=held, open=condition)
    values = {"queue": queue, "after": after, "after_id": after_id, "limit": limit, "now": now}
    return [Waiting(**row) for row in session.execute(text(statement), values).mappings()]


def reminders(session: Session, span: Span, which: str) -> list[Reminded]:
    """Reminders: all, or those ``sent``, ``clicked`` or ``paid``."""
    rows = session.execute(_REMINDERS, dict[str, object](which=which) | span.values()).mappings()
    return [Reminded(**row) for row in rows]


def settled(session: Session, span: Span, learned: str | None) -> list[Settled]:
    """Payments that were settled, by how they were learned of; None means any."""
    rows = session.execute(_SETTLED, dict[str, object](learned=learned) | span.values()).mappings()
    return [Settled(**row) for row in rows]


def by_hand(session: Session, span: Span) -> list[ByHand]:
    """What people did."""
    return [ByHand(**row) for row in session.execute(_BY_HAND, span.values()).mappings()]


def findings(session: Session, span: Span, kind: str | None, *, resolved: bool) -> list[FindingRow]:
    """Findings of a kind; None means any. Those that are resolved only where asked for."""
    values: dict[str, object] = {"kind": kind, "resolved": resolved}
    return [FindingRow(**row) for row in session.execute(_FINDINGS, values | span.values()).mappings()]


def about_order(session: Session, order_id: UUID) -> list[About]:
    """What has a story of its own and is about an order: its events and notices, the oldest first."""
    return [About(**row) for row in session.execute(_ABOUT, {"order_id": order_id}).mappings()]
