"""Reminders of unpaid orders: which are due, claimed under their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.interventions import By


@dataclass(frozen=True, slots=True)
class Terms:
    """When an order is due.

    Attributes:
        now: UTC.
        pause_since: A reminder of the same order since then is too fresh, where it is on no ladder.
        rest_since: A reminder of the same person since then is too fresh, whatever the order.
        most: How many an order on no ladder gets; None for as many as it takes.
        ladder: A JSON array: the days of the products that have no ladder of their own; empty for none.
        ladders: A JSON object: the days by product code.
    """

    now: datetime
    pause_since: datetime
    rest_since: datetime
    most: int | None
    ladder: str
    ladders: str

    @property
    def values(self) -> Mapping[str, object]:
        """As the statements name them."""
        return {name: getattr(self, name) for name in Terms.__slots__}


@dataclass(frozen=True, slots=True)
class DueReminder:
    """A reminder that is due, and the last one of its order or not."""

    order_id: UUID
    number: int
    user_id: UUID
    product_code: str
    amount: int
    currency: str
    last: bool


LADDERS = """
    select p.id, p.code, array(
      select cast(day as int) from jsonb_array_elements_text(
        coalesce(cast(:ladders as jsonb) -> p.code, cast(:ladder as jsonb))) day) as days,
      p.active
    from public.products p
"""
"""The days of every product."""

# The suspended lead, for they are few, and everything else is looked up person by person: behind row-level
# security the planner may not look at how few they are, and would read whole tables. One order a person, the
# oldest, and none of whom one is on its way: the others come another day.
_DUE = f"""
    with suspended as materialized (select id from public.profiles where status = 'SUSPENDED'),
    product as materialized ({LADDERS} where p.active)
    select * from (
      select distinct on (waiting.user_id) waiting.*
      from (
        select o.id as order_id, own.number, o.user_id, product.code as product_code, o.amount, o.currency,
          coalesce(own.number >= coalesce(nullif(cardinality(product.days), 0), :most), false) as last,
          o.created_at, cardinality(product.days) = 0 as flat
        from suspended
        cross join lateral (
          select * from public.orders where user_id = suspended.id and status = 'PENDING' offset 0) o
        join product on product.id = o.product_id
        cross join lateral (
          select coalesce(max(r.number) filter (where r.order_id = o.id), 0) + 1 as number,
            max(coalesce(r.sent_at, r.claimed_at)) filter (where r.order_id = o.id) as reminded_at,
            max(r.claimed_at) filter (where r.order_id = o.id and r.state = 'SKIPPED') as skipped_at,
            bool_or(r.last and r.state = 'SENT') filter (where r.order_id = o.id) as ended,
            bool_or(r.state = 'CLAIMED' and (r.parked_at is null or r.order_id = o.id)) as under_way,
            max(r.sent_at) as person_reminded_at
          from fleet.reminders r where r.user_id = o.user_id) own
        where own.under_way is not true and own.person_reminded_at > :rest_since is not true
          and case when cardinality(product.days) = 0
            then own.reminded_at > :pause_since is not true
              and (cast(:most as int) is null or own.number <= :most)
            else own.ended is not true and own.skipped_at > :pause_since is not true
              and o.created_at
                + product.days[least(own.number, cardinality(product.days))] * interval '24 hours' <= :now
            end
        offset 0
      ) waiting
      cross join lateral (
        select max(s.sent_at) filter (where s.order_id = waiting.order_id) as reminded_at,
          max(s.sent_at) as person_reminded_at
        from public.payment_reminders s where s.user_id = waiting.user_id) told
      where told.person_reminded_at > :rest_since is not true
        and not (waiting.flat and coalesce(told.reminded_at > :pause_since, false))
      order by waiting.user_id, waiting.created_at, waiting.order_id
    ) due
    order by created_at, order_id
    limit :limit
"""  # noqa: S608 - of this module's own texts
_PREVIEW = text(_DUE)
CLAIM = text(f"""
    with claimed as (
      insert into fleet.reminders
        (order_id, number, user_id, last, claimed_at, due_at, amount, currency)
      select order_id, number, user_id, last, :now, :now, amount, currency from ({_DUE}) due
      on conflict do nothing
      returning 1
    )
    select count(*), case when count(*) > 0 then pg_notify('fleet', 'reminders') end from claimed
""")  # noqa: S608 - as above
"""The statement itself, for its plan to be looked at."""

# Two who claim at different moments might choose two orders of one person. To compile the statement, as the
# planner would for what it takes for a long one, costs more than to run it.
_ALONE = text("""
    select pg_advisory_xact_lock(hashtextextended('fleet.reminders', 0)), set_config('jit', 'off', true)
""")

_PUT = text("""
    insert into fleet.reminders
      (order_id, number, user_id, last, claimed_at, due_at, amount, currency, forced_by, forced_why)
    select id, :number, user_id, :last, :now, :until, amount, currency, :forced_by, :forced_why
    from public.orders where id = :order_id
""")


def one_at_a_time(session: Session) -> None:
    """Wait until nobody else claims; held until the transaction ends. What follows sees what they did."""
    session.execute(_ALONE)


def claim(session: Session, terms: Terms, limit: int) -> int:
    """Find and claim up to ``limit`` reminders, the oldest orders first; return how many are new."""
    one_at_a_time(session)
    return int(session.execute(CLAIM, {**terms.values, "limit": limit}).scalar_one())


def preview(session: Session, terms: Terms, limit: int) -> list[DueReminder]:
    """What ``claim`` would claim."""
    rows = session.execute(_PREVIEW, {**terms.values, "limit": limit}).mappings()
    return [DueReminder(**{name: row[name] for name in DueReminder.__slots__}) for row in rows]


def put(  # noqa: PLR0913 - the columns of one statement
    session: Session,
    order_id: UUID,
    number: int,
    now: datetime,
    until: datetime,
    *,
    last: bool,
    forced: By | None,
) -> None:
    """Claim one by hand, leased until a time; whoever does is ``one_at_a_time``.

    Args:
        session: The transaction.
        order_id: Of which order.
        number: A free one.
        now: The time to record.
        until: When somebody else may take it up.
        last: Whether none follows.
        forced: Who wants it against the rules, and why.
    """
    values = {"order_id": order_id, "number": number, "now": now, "until": until, "last": last}
    values |= {"forced_by": forced and forced.who, "forced_why": forced and forced.why}
    session.execute(_PUT, values)
