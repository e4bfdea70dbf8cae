"""What the triggers have missed: rows of the platform's that no queue of the fleet's knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

_DELIVERIES = text("""
    with forgotten as (
      select d.id, d.notification_id, d.channel::text as channel
      from public.notification_deliveries d
      where d.status = 'PENDING' and d.created_at <= :before
        and d.created_at >= (select installed_at from fleet.installation)
        and not exists (select from fleet.dispatch q where q.delivery_id = d.id)
      order by d.created_at, d.id
    ), placed as (
      insert into fleet.delivery_places (notification_id, channel, delivery_id)
      select notification_id, channel, id from forgotten
      on conflict do nothing
    )
    insert into fleet.dispatch (delivery_id, channel)
    select id, channel from forgotten
    on conflict do nothing
""")

_EVENTS = text("""
    insert into fleet.outbox (event_id)
    select e.id
    from public.events e
    where e.created_at between :since and :before
      and e.created_at >= (select installed_at from fleet.installation)
      and not exists (select from fleet.fanouts f where f.event_id = e.id)
    on conflict do nothing
""")


def enqueue(session: Session, since: datetime, before: datetime) -> int:
    """Queue what the triggers have missed: PENDING deliveries and events that have no row of the fleet's.

    Args:
        session: The transaction.
        since: Events older than this are not looked at.
        before: What is younger is left to its trigger.

    Returns:
        How many rows were queued.
    """
    deliveries: Any = session.execute(_DELIVERIES, {"before": before})
    events: Any = session.execute(_EVENTS, {"since": since, "before": before})
    return int(deliveries.rowcount) + int(events.rowcount)
