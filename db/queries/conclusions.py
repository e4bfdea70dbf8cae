"""What follows for deliveries from what providers say of their messages.

Two statements, to be run in this order in the transaction that has recorded it (``receipts``): ``conclude``
the deliveries, ``withdraw`` what is not needed any more. What another transaction holds of the queue is left
to it, so that nobody waits in a circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

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
