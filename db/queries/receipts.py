"""What providers say of messages that they have accepted, and what follows for the deliveries.

Four statements, to be run in this order in one transaction: ``hold`` the rows, ``record`` what was said,
``conclude`` the deliveries, ``withdraw`` what is not needed any more. Each sees what the one before it has
written.

Nothing here waits for a row that others lock in an order of their own: what another transaction holds is
left for the next time. So no two workers, and no worker and a settling, wait for each other in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Held:
    """Whose message a callback speaks of.

    Attributes:
        number: The callback's, as it was given.
        token: The attempt's; None where it is no attempt of ours.
        channel: The attempt's.
        held: Whether its rows are locked for this transaction; otherwise another has them just now.
    """

    number: int
    token: UUID | None
    channel: str | None
    held: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was new.

    Attributes:
        token: The attempt's.
        delivery_id: Its delivery.
        proved: Whether the attempt's outcome was unknown, or known otherwise, and is now ACCEPTED.
        added: Whether something was said for the first time.
        state: The state, where it or its code or reason is another than before.
    """

    token: UUID
    delivery_id: UUID
    proved: bool
    added: bool
    state: str | None


_HOLD = text("""
    with named as materialized (
      select r.number, r.provider, coalesce(r.token, (
        select a.token from fleet.attempts a
        where a.provider = r.provider and a.provider_message_id = r.message_id
        order by a.opened_at limit 1)) as token
      from jsonb_to_recordset(cast(:rows as jsonb))
        as r(number integer, provider text, token uuid, message_id text)
    ), attempts as materialized (
      select a.token, a.delivery_id from fleet.attempts a
      where a.token in (select token from named)
      for update skip locked
    ), deliveries as materialized (
      select d.id from public.notification_deliveries d
      where d.id in (select delivery_id from attempts)
      for update skip locked
    ), letters as materialized (
      select l.id from fleet.letters l
      where l.id in (select delivery_id from attempts)
      for update skip locked
    )
    select n.number, a.token, a.channel, h.token is not null and (
        d.id is not null or l.id is not null
        or not exists (select from public.notification_deliveries g where g.id = a.delivery_id)
        and not exists (select from fleet.letters g where g.id = a.delivery_id)) as held
    from named n
    left join fleet.attempts a on a.token = n.token and a.provider = n.provider
    left join attempts h on h.token = a.token
    left join deliveries d on d.id = a.delivery_id
    left join letters l on l.id = a.delivery_id
""")

# The one rule by which a thousand callbacks in any order come to the same row: the state is the furthest that
# was told, each time the earliest, code and reason those of the first word of that state. What the row holds
# already is one more voice among those that are heard now.
_RECORD = text("""
    with told as materialized (
      select * from jsonb_to_recordset(cast(:rows as jsonb))
        as r(token uuid, message_id text, state text, at timestamptz, code text, reason text)
    ), voices as (
      select token, state, at, code, reason from told where state is not null
      union all
      select r.token, v.state, v.at, case when v.state = r.state then r.code end,
        case when v.state = r.state then r.reason end
      from fleet.receipts r
      cross join lateral (values
        ('DEFERRED', r.deferred_at), ('SENT', r.sent_at), ('DELIVERED', r.delivered_at),
        ('OPENED', r.opened_at), ('CLICKED', r.clicked_at), ('FAILED', r.failed_at),
        ('BOUNCED', r.bounced_at)) v(state, at)
      where r.token in (select token from told) and v.at is not null
    ), ranked as (
      select v.*, array_position(
        array['DEFERRED', 'SENT', 'DELIVERED', 'OPENED', 'CLICKED', 'FAILED', 'BOUNCED'], v.state) as rank
      from voices v
    ), joined as (
      select token,
        (array_agg(state order by rank desc))[1] as state,
        min(at) filter (where state = 'DEFERRED') as deferred_at,
        min(at) filter (where state = 'SENT') as sent_at,
        min(at) filter (where state = 'DELIVERED') as delivered_at,
        min(at) filter (where state = 'OPENED') as opened_at,
        min(at) filter (where state = 'CLICKED') as clicked_at,
        min(at) filter (where state = 'FAILED') as failed_at,
        min(at) filter (where state = 'BOUNCED') as bounced_at,
        (array_agg(code order by rank desc, at, code collate "C", reason collate "C"))[1] as code,
        (array_agg(reason order by rank desc, at, code collate "C", reason collate "C"))[1] as reason
      from ranked group by token
    ), recorded as (
      insert into fleet.receipts as r (token, delivery_id, state, deferred_at, sent_at, delivered_at,
        opened_at, clicked_at, failed_at, bounced_at, code, reason, updated_at)
      select j.token, a.delivery_id, j.state, j.deferred_at, j.sent_at, j.delivered_at, j.opened_at,
        j.clicked_at, j.failed_at, j.bounced_at, j.code, j.reason, :now
      from joined j join fleet.attempts a using (token)
      on conflict (token) do update
      set state = excluded.state, deferred_at = excluded.deferred_at, sent_at = excluded.sent_at,
          delivered_at = excluded.delivered_at, opened_at = excluded.opened_at,
          clicked_at = excluded.clicked_at, failed_at = excluded.failed_at, bounced_at = excluded.bounced_at,
          code = excluded.code, reason = excluded.reason, updated_at = excluded.updated_at
      where (r.state, r.deferred_at, r.sent_at, r.delivered_at, r.opened_at, r.clicked_at, r.failed_at,
             r.bounced_at, r.code, r.reason)
        is distinct from
            (excluded.state, excluded.deferred_at, excluded.sent_at, excluded.delivered_at,
             excluded.opened_at, excluded.clicked_at, excluded.failed_at, excluded.bounced_at,
             excluded.code, excluded.reason)
      returning token, state, code, reason
    ), proved as (
      update fleet.attempts a
      set closed_at = :now, outcome = 'ACCEPTED', evidence = :evidence, provider_message_id = p.message_id
      from (select token, coalesce(min(message_id), 'unknown') as message_id from told group by token) p
      where a.token = p.token and a.outcome is distinct from 'ACCEPTED'
      returning a.token
    )
    select a.token, a.delivery_id, p.token is not null as proved, r.token is not null as added,
      case when (r.state, r.code, r.reason) is distinct from (before.state, before.code, before.reason)
        then r.state end as state
    from fleet.attempts a
    left join recorded r on r.token = a.token
    left join proved p on p.token = a.token
    left join fleet.receipts before on before.token = a.token
    where r.token is not null or p.token is not null
""")

# A delivery's new state, or a letter's, in the same columns.
_WRITTEN = """
      update {table} d
      set status = {status}, sent_at = coalesce(d.sent_at, :now),
          failed_at = case when c.failure is not null then c.failed_at end,
          provider = c.provider, provider_message_id = c.provider_message_id, provider_response = c.response
      from concluded c
      where d.id = c.id
        and (d.status::text in ('PENDING', 'SENT')
             or d.provider_response ->> 'code' in
               ('no_evidence', 'superseded', 'suppressed', 'refused_channel', 'opted_out', 'link_over')
             or d.provider_response ? 'receipt'
             or (c.arrived and d.provider_response ? 'code'))
        and (d.status::text, d.provider_message_id, d.provider_response, d.failed_at) is distinct from
            (c.word, c.provider_message_id, c.response, case when c.failure is not null then c.failed_at end)
      returning d.id, c.failure"""
_DELIVERIES = {"table": "public.notification_deliveries", "status": "c.word::public.notification_status"}
_LETTERS = {"table": "fleet.letters", "status": "c.word"}

# What the provider never had (refused, deferred, surely not sent) has no say. An attempt that is open may
# still arrive, whatever became of those before it. What others wrote, and what was put back into the queue by
# hand, stays: only a word of the fleet's own is corrected. A row of the queue that another holds is left
# to it: whoever has it will find the delivery done.
_CONCLUDE = text(f"""
    with newest as materialized (
      select distinct on (a.delivery_id) a.delivery_id, a.provider, a.provider_message_id, a.evidence,
        r.state in ('DELIVERED', 'OPENED', 'CLICKED') as arrived,
        case when r.state in ('FAILED', 'BOUNCED') and not exists (
          select from fleet.attempts o where o.delivery_id = a.delivery_id and o.closed_at is null)
        then r.state end as failure,
        r.code, r.reason, case when r.state = 'BOUNCED' then r.bounced_at else r.failed_at end as failed_at
      from fleet.attempts a
      left join fleet.receipts r on r.token = a.token
      where a.delivery_id = any(cast(:proved as uuid[]) || cast(:moved as uuid[]))
        and a.outcome = 'ACCEPTED'
      order by a.delivery_id, coalesce(r.state in ('DELIVERED', 'OPENED', 'CLICKED'), false) desc,
        a.number desc
    ), concluded as materialized (
      select n.*, said.id, coalesce(n.failure, 'SENT') as word,
        case when jsonb_typeof(said.provider_response) = 'object' then said.provider_response else '{{}}' end
          - array['code', 'error', 'receipt', 'evidence']
          || case when n.evidence in ('CALLBACK', 'LOOKUP')
             then jsonb_build_object('evidence', lower(n.evidence)) else '{{}}' end
          || case when n.failure is not null
             then jsonb_build_object('code', coalesce(n.code, lower(n.failure)),
               'error', coalesce(n.reason, 'the provider names no reason'), 'receipt', n.failure)
             else '{{}}' end as response
      from newest n
      cross join lateral (
        select d.id, d.status::text, d.provider_response
        from public.notification_deliveries d where d.id = n.delivery_id
        union all
        select l.id, l.status, l.provider_response from fleet.letters l where l.id = n.delivery_id
      ) said
      where said.id = any(cast(:proved as uuid[])) or said.status <> 'PENDING'
    ), delivered as ({_WRITTEN.format(**_DELIVERIES)}
    ), lettered as ({_WRITTEN.format(**_LETTERS)}
    ), ended as (
      delete from fleet.dispatch q
      where q.delivery_id in (
        select w.delivery_id from fleet.dispatch w
        where w.delivery_id in (select id from concluded)
        for update skip locked)
    )
    select id from (table delivered union all table lettered) written where failure is not null order by id
""")  # noqa: S608 - our own names

# Leased means that it may be on its way; a lease that has ended without an attempt was never sent.
_WITHDRAW = text("""
    with waiting as materialized (
      select q.delivery_id, f.from_channel
      from public.notification_deliveries d
      join fleet.fallbacks f
        on f.notification_id = d.notification_id and f.from_channel = d.channel::text
        and f.reason = 'NOT_DELIVERED'
      join fleet.dispatch q on q.delivery_id = f.to_delivery_id
      where d.id = any(cast(:ids as uuid[])) and (q.lease_until is null or q.lease_until <= :now)
        and not exists (select from fleet.attempts a where a.delivery_id = q.delivery_id)
      for update of q skip locked
    ), withdrawn as (
      update public.notification_deliveries d
      set status = 'FAILED', failed_at = :now, provider_response = jsonb_build_object(
        'code', 'superseded', 'error', 'delivered on ' || w.from_channel || ' after all')
      from waiting w
      where d.id = w.delivery_id and d.status = 'PENDING'
    )
    delete from fleet.dispatch q using waiting w where q.delivery_id = w.delivery_id
    returning q.delivery_id
""")


def hold(session: Session, rows: str) -> list[Held]:
    """Find the attempts that callbacks speak of, and lock them and their deliveries or letters.

    Args:
        session: The transaction.
        rows: A JSON array of ``{number, provider, token, message_id}``; without a token the provider's id of
            the message decides.

    Returns:
        One for each row.
    """
    return [Held(**row) for row in session.execute(_HOLD, {"rows": rows}).mappings()]


def record(session: Session, rows: str, evidence: str, now: datetime) -> list[Recorded]:
    """Add what was said of attempts that this transaction holds; each is proved to have been accepted.

    Args:
        session: The transaction.
        rows: A JSON array of ``{token, message_id, state, at, code, reason}``; without a state it proves that
            the provider has the message, and no more.
        evidence: CALLBACK or LOOKUP.
        now: The time to record.

    Returns:
        One for each attempt of which something is new.
    """
    values = {"rows": rows, "evidence": evidence, "now": now}
    return [Recorded(**row) for row in session.execute(_RECORD, values).mappings()]


def conclude(session: Session, proved: Sequence[UUID], moved: Sequence[UUID], now: datetime) -> list[UUID]:
    """Write what the receipts of all their attempts mean for deliveries, and take these off the queue.

    Args:
        session: The transaction, which holds the deliveries.
        proved: Deliveries, or letters, of which an attempt has been proved just now.
        moved: Deliveries of which a receipt's state has moved; one that waits to be sent again is left.
        now: The time to record.

    Returns:
        The deliveries that have failed or bounced by this.
    """
    values = {"proved": list(proved), "moved": list(moved), "now": now}
    return list(session.scalars(_CONCLUDE, values))


def withdraw(session: Session, arrived: Sequence[UUID], now: datetime) -> list[UUID]:
    """End the deliveries that took over from these, where they have not left: these have arrived after all.

    Returns:
        What was withdrawn.
    """
    return list(session.scalars(_WITHDRAW, {"ids": list(arrived), "now": now}))
