"""What came of reminders: how many were sent, followed and paid, and what each order's were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Share:
    """What came of the reminders of one kind.

    Attributes:
        by: What they are told apart by: ``all``, ``number``, ``channel`` or ``month``.
        value: Which of these: a number, a channel, a month as ``2026-11``; empty for ``all``.
        sent: How many.
        clicked: Of how many the link was followed.
        paid: How many have led to a payment.
        recovered: By currency, what the orders cost that were paid, in its smallest unit.
    """

    by: str
    value: str
    sent: int
    clicked: int
    paid: int
    recovered: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """One reminder of an order, sent or not.

    Attributes:
        number: Counted from 1.
        last: Whether it was the last of a ladder.
        state: CLAIMED, SENT or SKIPPED.
        reason: Why it was not sent.
        claimed_at: When it was its turn.
        sent_at: When it went out.
        channels: On which channels, as ``payment_reminders`` has it.
        sessions: The Checkout Sessions that were made for it or its link, the oldest first.
        clicked_at: When its link was first followed.
        paid_at: When the order was paid through it.
        forced_by: Who has forced it.
        forced_why: And why.
        tries: How often it could not be sent yet.
        last_error: Why.
        parked_at: Since when it waits for a person.
    """

    number: int
    last: bool
    state: str
    reason: str | None
    claimed_at: datetime
    sent_at: datetime | None
    channels: Sequence[str]
    sessions: Sequence[str]
    clicked_at: datetime | None
    paid_at: datetime | None
    forced_by: str | None
    forced_why: str | None
    tries: int
    last_error: str | None
    parked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reminded:
    """An order, as far as reminders go.

    Attributes:
        order_id: Its id.
        status: The platform's word.
        amount: What it costs, in the smallest unit of the currency.
        currency: As the platform writes it.
        product: The product's name.
        cancelled_at: When it was given up after its last reminder.
    """

    order_id: UUID
    status: str
    amount: int
    currency: str
    product: str
    cancelled_at: datetime | None


# A row of the platform's names no reminder: it belongs to the last one that was claimed before it. What the
# application has written without the fleet belongs to none.
_TOLD = """
    select distinct told.sent_via::text
    from public.payment_reminders told
    where told.order_id = r.order_id and told.sent_at >= r.claimed_at
      and not exists (
        select from fleet.reminders later
        where later.order_id = r.order_id and later.state = 'SENT' and later.number <> r.number
          and later.claimed_at > r.claimed_at and later.claimed_at <= told.sent_at)"""

_SHARES = text(f"""
    with counted as (
      select kind.by, kind.value, upper(r.currency) as currency, count(*) as sent,
        count(r.clicked_at) as clicked, count(r.paid_at) as paid,
        sum(r.amount) filter (where r.paid_at is not null) as recovered
      from fleet.reminders r
      cross join lateral (
        select 'all', ''
        union all select 'number', r.number::text
        union all select 'month', to_char(r.sent_at at time zone 'UTC', 'YYYY-MM')
        union all select 'channel', told.sent_via from ({_TOLD}) told
      ) kind (by, value)
      where r.state = 'SENT' and (cast(:since as timestamptz) is null or r.sent_at >= :since)
      group by 1, 2, 3
    )
    select by, value, sum(sent)::int as sent, sum(clicked)::int as clicked, sum(paid)::int as paid,
      coalesce(jsonb_object_agg(currency, recovered) filter (where recovered > 0), '{{}}') as recovered
    from counted
    group by 1, 2
    order by 1, length(value), 2
""")  # noqa: S608 - our own words

_ORDER = text("""
    select o.id as order_id, o.status::text, o.amount, o.currency, p.name as product, c.cancelled_at
    from public.orders o
    join public.products p on p.id = o.product_id
    left join fleet.cancellations c on c.order_id = o.id
    where o.id = :order_id
""")

_OF_ORDER = text(f"""
    select r.number, r.last, r.state, r.reason, r.claimed_at, r.sent_at,
      case when r.state = 'SENT' then array(select sent_via from ({_TOLD}) told order by 1)
        else '{{}}' end as channels,
      array(
        select s.session_id from fleet.reminder_sessions s
        where s.order_id = r.order_id and s.number = r.number order by s.created_at, s.session_id
      ) as sessions,
      r.clicked_at, r.paid_at, r.forced_by, r.forced_why, r.tries, r.last_error, r.parked_at
    from fleet.reminders r
    where r.order_id = :order_id and (cast(:since as timestamptz) is null or r.claimed_at >= :since)
    order by r.number
""")  # noqa: S608 - our own words


def shares(session: Session, since: datetime | None) -> list[Share]:
    """What came of all reminders that were sent since a time: in all, by number, channel and month."""
    return [Share(**row) for row in session.execute(_SHARES, {"since": since}).mappings()]


def order(session: Session, order_id: UUID) -> Reminded | None:
    """An order; None where there is none of that id."""
    row = session.execute(_ORDER, {"order_id": order_id}).mappings().one_or_none()
    return None if row is None else Reminded(**row)


def of_order(session: Session, order_id: UUID, since: datetime | None) -> list[Sent]:
    """The reminders of an order that were claimed since a time, by their numbers."""
    values = {"order_id": order_id, "since": since}
    return [Sent(**row) for row in session.execute(_OF_ORDER, values).mappings()]
