"""Writing notifications and their deliveries, each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class WrittenNotification:
    """A notification that the application wrote."""

    notification_id: UUID
    user_id: UUID
    event_id: UUID | None
    template_code: str | None
    email: str | None
    phone: str | None


# No index leads from an event to its notifications; a person's are few.
_OF_EVENTS = text("""
    select n.id as notification_id, n.user_id, n.event_id, n.template_code, null as email,
           null as phone
    from public.notifications n
    where n.user_id = any(:user_ids) and n.event_id = any(:event_ids)
    order by n.created_at, n.id
""")

_RECORD = text("""
    insert into fleet.announcements (event_id, user_id, template_code, notification_id, announced_by)
    select event_id, user_id, template_code, notification_id, announced_by
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(event_id uuid, user_id uuid, template_code text, notification_id uuid, announced_by text)
    on conflict do nothing
    returning notification_id
""")

_INSERT_NOTIFICATIONS = text("""
    insert into public.notifications
      (id, user_id, dossier_id, event_id, title, message, template_code, payload, action_url)
    select id, user_id, dossier_id, event_id, title, message, template_code, payload, action_url
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(id uuid, user_id uuid, dossier_id uuid, event_id uuid, title text, message text,
           template_code text, payload jsonb, action_url text)
""")

# A channel that already has its delivery, by a trigger of the application's for one, is left as it is; and to
# the phone there is one way at a time: nobody is to get the same by SMS and by WhatsApp through our doing.
_INSERT_DELIVERIES = text("""
    insert into public.notification_deliveries
      (id, notification_id, channel, recipient, status, provider, provider_message_id, sent_at)
    select r.id, r.notification_id, r.channel::public.notification_channel, r.recipient,
           (case when r.channel = 'IN_APP' then 'SENT' else 'PENDING' end)::public.notification_status,
           case when r.channel = 'IN_APP' then 'in_app' end,
           case when r.channel = 'IN_APP' then r.notification_id::text end,
           case when r.channel = 'IN_APP' then cast(:now as timestamptz) end
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(id uuid, notification_id uuid, channel text, recipient text)
    where not exists (
      select from fleet.delivery_places p
      where p.notification_id = r.notification_id
        and (p.channel = r.channel
             or (p.channel in ('SMS', 'WHATSAPP') and r.channel in ('SMS', 'WHATSAPP'))))
""")

_PRIORITISE = text("""
    update fleet.dispatch q set priority = r.priority
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(notification_id uuid, priority smallint)
    join fleet.delivery_places p on p.notification_id = r.notification_id
    where q.delivery_id = p.delivery_id and q.priority <> r.priority
""")

_UNROUTED = text("""
    select n.id as notification_id, n.user_id, n.event_id, n.template_code, account.email,
           nullif(trim(person.phone), '') as phone
    from public.notifications n
    left join public.profiles person on person.id = n.user_id
    left join auth.users account on account.id = n.user_id
    where n.created_at >= greatest(:since, (select installed_at from fleet.installation))
      and n.created_at <= :until
      and not exists (select from public.notification_deliveries d where d.notification_id = n.id)
      and not coalesce(n.payload ? 'redacted_at', false)
    order by n.created_at
    limit :limit
    for update of n skip locked
""")

_ANNOUNCED_BY_FLEET = text("""
    select event_id, user_id, template_code
    from fleet.announcements
    where announced_by = 'FLEET' and event_id = any(:event_ids)
""")


def of_events(
    session: Session, event_ids: Sequence[UUID], user_ids: Sequence[UUID]
) -> list[WrittenNotification]:
    """Notifications that exist already for these events and people, oldest first."""
    rows = session.execute(_OF_EVENTS, {"event_ids": list(event_ids), "user_ids": list(user_ids)})
    return [WrittenNotification(**row) for row in rows.mappings()]


def record(session: Session, rows: str) -> set[UUID]:
    """Take the place of each announcement (event, person, template) that nobody has taken yet.

    Args:
        session: The transaction.
        rows: A JSON array of announcements.

    Returns:
        The notification ids whose place was free.
    """
    return set(session.scalars(_RECORD, {"rows": rows}))


def insert_notifications(session: Session, rows: str) -> None:
    """Insert notifications, given as a JSON array."""
    session.execute(_INSERT_NOTIFICATIONS, {"rows": rows})


def insert_deliveries(session: Session, rows: str, now: datetime) -> int:
    """Insert one delivery for each (notification, channel) of a JSON array that has none yet.

    In-app is SENT at once, for the notification's row is the delivery; the others are PENDING. SMS and
    WhatsApp count as one channel here: the array has one of them for a notification at most.

    Returns:
        How many were inserted.
    """
    result: Any = session.execute(_INSERT_DELIVERIES, {"rows": rows, "now": now})
    return int(result.rowcount)


def prioritise(session: Session, rows: str) -> None:
    """Say how soon what is queued of some notifications is to go.

    Args:
        session: The transaction that has inserted the deliveries.
        rows: A JSON array of ``{notification_id, priority}``.
    """
    session.execute(_PRIORITISE, {"rows": rows})


def unrouted(session: Session, since: datetime, until: datetime, limit: int) -> list[WrittenNotification]:
    """Lock notifications written between ``since`` and ``until`` that have no delivery at all."""
    rows = session.execute(_UNROUTED, {"since": since, "until": until, "limit": limit})
    return [WrittenNotification(**row) for row in rows.mappings()]


def announced_by_fleet(session: Session, event_ids: Sequence[UUID]) -> set[tuple[UUID, UUID, str]]:
    """The (event, person, template) that the fleet itself has announced, for these events."""
    rows = session.execute(_ANNOUNCED_BY_FLEET, {"event_ids": list(event_ids)})
    return {(row.event_id, row.user_id, row.template_code) for row in rows}
