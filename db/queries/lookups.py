"""Questions to put to a provider later."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Question:
    """A leased question with what is needed to put it.

    Attributes:
        token: The attempt's.
        kind: STATUS or SEARCH.
        tries: How often it was put.
        lease_until: Until when it is ours.
        channel: The attempt's.
        provider: The attempt's.
        opened_at: When the attempt was opened.
        closed_at: When its outcome was known.
        message_id: The provider's id of the message, where the attempt was accepted.
        priced: Whether the price is known.
        state: What was told of the message so far, as in ``fleet.receipts``.
        delivery_id: The attempt's delivery.
        recipient: Its address as it is written there; None where the delivery is gone.
    """

    token: UUID
    kind: str
    tries: int
    lease_until: datetime
    channel: str
    provider: str
    opened_at: datetime
    closed_at: datetime | None
    message_id: str | None
    priced: bool
    state: str | None
    delivery_id: UUID
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Later:
    """When and what to ask again.

    Attributes:
        kind: STATUS or SEARCH.
        due_at: When.
        tries: How often the question counts as put by then.
        error: Why it was left open, for people; without addresses.
    """

    kind: str
    due_at: datetime
    tries: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which attempts call for a question.

    Attributes:
        now: When it is due.
        horizon: Attempts opened before this are not looked at.
        left_by: An attempt opened before this has left or never will.
        arrived_by: A WhatsApp message of an attempt opened before this should have arrived.
    """

    now: datetime
    horizon: datetime
    left_by: datetime
    arrived_by: datetime


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """An attempt of which nobody knows whether the provider has it."""

    token: UUID
    delivery_id: UUID
    recipient: str
    opened_at: datetime


_SCHEDULE = text("""
    insert into fleet.lookups as l (token, kind, due_at)
    select token, kind, due_at
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(token uuid, kind text, due_at timestamptz)
    on conflict (token) do update
    set kind = excluded.kind, due_at = excluded.due_at, tries = 0, lease_until = null
    where l.kind = 'SEARCH' and excluded.kind = 'STATUS'
""")

_CLAIM = text("""
    with picked as materialized (
      select token from fleet.lookups
      where due_at <= greatest(:now, now())
        and (lease_until is null or lease_until <= greatest(:now, now()))
      order by due_at
      limit :limit
      for update skip locked
    ), leased as (
      update fleet.lookups l set lease_until = :lease_until
      from picked where l.token = picked.token
      returning l.token, l.kind, l.tries, l.due_at, l.lease_until
    )
    select l.token, l.kind, l.tries, l.lease_until, a.channel, a.provider, a.opened_at, a.closed_at,
      case when a.outcome = 'ACCEPTED' then a.provider_message_id end as message_id,
      a.price is not null as priced, r.state, a.delivery_id, d.recipient
    from leased l
    join fleet.attempts a using (token)
    left join fleet.receipts r using (token)
    left join public.notification_deliveries d on d.id = a.delivery_id
    order by l.due_at
""")

# Whoever let its lease run out, and whose question another has put since, has no say any more.
_FINISH = text("delete from fleet.lookups where token = :token and lease_until = :lease_until")
_POSTPONE = text("""
    update fleet.lookups
    set kind = :kind, due_at = :due_at, tries = :tries, last_error = :error, lease_until = null
    where token = :token and lease_until = :lease_until
""")

_PRICE = text("""
    update fleet.attempts
    set segments = coalesce(cast(:segments as integer), segments),
        price = coalesce(cast(:price as numeric), price),
        price_unit = coalesce(cast(:unit as text), price_unit)
    where token = :token
""")

_UNCLAIMED = text("""
    select a.token, a.delivery_id, d.recipient, a.opened_at
    from fleet.attempts a
    join public.notification_deliveries d on d.id = a.delivery_id
    where a.opened_at between :since and :until and a.channel = :channel and a.provider = :provider
      and (a.closed_at is null or a.outcome = 'NO_EVIDENCE')
    order by a.opened_at, a.token
""")

_KNOWN = text("""
    select provider_message_id from fleet.attempts
    where provider = :provider and provider_message_id = any(:message_ids)
""")

# A schedule that was lost heals: attempts that nobody searches for, messages that should have arrived by now.
_OVERDUE = text("""
    insert into fleet.lookups (token, kind, due_at)
    select a.token, 'SEARCH', :now
    from fleet.attempts a
    join public.notification_deliveries d on d.id = a.delivery_id
    where a.opened_at between :horizon and :left_by and a.closed_at is null
      and a.channel = any(:channels) and d.status::text = 'PENDING'
      and not exists (select from fleet.lookups l where l.token = a.token)
    union all
    select a.token, 'STATUS', :now
    from fleet.attempts a
    join public.notification_deliveries d on d.id = a.delivery_id
    left join fleet.receipts r on r.token = a.token
    where a.opened_at between :horizon and :arrived_by and a.outcome = 'ACCEPTED' and a.channel = 'WHATSAPP'
      and a.channel = any(:channels) and d.status::text = 'SENT'
      and (r.state is null or r.state in ('DEFERRED', 'SENT'))
      and not exists (select from fleet.fallbacks f
        where f.notification_id = d.notification_id and f.from_channel = a.channel)
      and not exists (select from fleet.lookups l where l.token = a.token)
    on conflict do nothing
""")


def schedule(session: Session, rows: str) -> None:
    """Put questions down for later, given as a JSON array of ``{token, kind, due_at}``.

    A message that was searched for and then found is asked for its state; nothing else replaces a question.
    """
    session.execute(_SCHEDULE, {"rows": rows})


def claim(session: Session, limit: int, now: datetime, lease_until: datetime) -> list[Question]:
    """Lease up to ``limit`` due questions, the longest due first."""
    values = {"limit": limit, "now": now, "lease_until": lease_until}
    return [Question(**row) for row in session.execute(_CLAIM, values).mappings()]


def finish(session: Session, question: Question) -> None:
    """Take a question off: there is nothing left to ask."""
    session.execute(_FINISH, {"token": question.token, "lease_until": question.lease_until})


def postpone(session: Session, question: Question, later: Later) -> None:
    """Leave a question for later."""
    values = {"token": question.token, "lease_until": question.lease_until}
    session.execute(_POSTPONE, values | asdict(later))


def price(session: Session, token: UUID, segments: int | None, cost: tuple[Decimal, str] | None) -> None:
    """Write in how many parts a message went and what it came to; None leaves what is there."""
    amount, unit = cost or (None, None)
    session.execute(_PRICE, {"token": token, "segments": segments, "price": amount, "unit": unit})


def unclaimed(session: Session, question: Question, around: timedelta) -> list[Unclaimed]:
    """Attempts of unknown outcome on the same channel, opened within ``around`` of this one, oldest first."""
    values = {
        "since": question.opened_at - around,
        "until": question.opened_at + around,
        "channel": question.channel,
        "provider": question.provider,
    }
    return [Unclaimed(**row) for row in session.execute(_UNCLAIMED, values).mappings()]


def known(session: Session, provider: str, message_ids: Sequence[str]) -> set[str]:
    """Those of a provider's messages that are known to be an attempt's."""
    return set(session.scalars(_KNOWN, {"provider": provider, "message_ids": list(message_ids)}))


def overdue(session: Session, channels: Sequence[str], bounds: Bounds) -> int:
    """Put down the questions on these channels that nobody has put down; return how many."""
    result: Any = session.execute(_OVERDUE, asdict(bounds) | {"channels": list(channels)})
    return int(result.rowcount)
