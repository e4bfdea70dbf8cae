"""What people have said about being written to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, time
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person has said; each part as it is where nothing was said of it.

    Attributes:
        user_id: The person.
        locale: The language: ``fr`` or ``en``.
        time_zone: By its name, ``Europe/Paris``.
        prefers_sms: Whether SMS is to come in place of WhatsApp.
        refused_channels: Channels that nothing is to come by.
        opted_out: Categories of messages that are not to come, where that may be chosen.
        quiet_from: Since when in the day the phone is to be silent; with ``quiet_to`` the same, it never is.
        quiet_to: Until when.
        updated_at: When any of it was said last; None where nothing was.
    """

    user_id: UUID
    locale: str | None = None
    time_zone: str | None = None
    prefers_sms: bool = False
    refused_channels: Sequence[str] = ()
    opted_out: Sequence[str] = ()
    quiet_from: time | None = None
    quiet_to: time | None = None
    updated_at: datetime | None = None


_COLUMNS = (
    "user_id, locale, time_zone, prefers_sms, refused_channels, opted_out, quiet_from, quiet_to, updated_at"
)
_OF = text(f"select {_COLUMNS} from fleet.preferences where user_id = any(:user_ids)")  # noqa: S608 - our own names
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('fleet.preferences:' || :user_id, 0))")
_WRITE = text("""
    insert into fleet.preferences (user_id, locale, time_zone, prefers_sms, refused_channels, opted_out,
      quiet_from, quiet_to, updated_at)
    values (:user_id, :locale, :time_zone, :prefers_sms, cast(:refused_channels as text[]),
      cast(:opted_out as text[]), :quiet_from, :quiet_to, :updated_at)
    on conflict (user_id) do update
    set locale = excluded.locale, time_zone = excluded.time_zone, prefers_sms = excluded.prefers_sms,
        refused_channels = excluded.refused_channels, opted_out = excluded.opted_out,
        quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, updated_at = excluded.updated_at
""")
_LOOK_AGAIN = text("""
    update fleet.dispatch q set due_at = :now
    from public.notification_deliveries d
    join public.notifications n on n.id = d.notification_id
    where q.delivery_id = d.id and n.user_id = :user_id and q.last_code = 'quiet_hours'
      and q.lease_until is null and q.parked_at is null and q.due_at > :now
""")
_KNOWN = text("select exists (select from public.profiles where id = :user_id)")
_OPTED_IN_AT = text("""
    select max(at) from fleet.interventions
    where subject = :user_id and details -> 'opted_in' ? :category
""")


def of(session: Session, user_ids: Sequence[UUID]) -> Mapping[UUID, Preferences]:
    """What these people have said; who has said nothing is missing."""
    rows = session.execute(_OF, {"user_ids": list(user_ids)}).mappings()
    return {row["user_id"]: Preferences(**row) for row in rows}


def is_person(session: Session, user_id: UUID) -> bool:
    """Whether the platform knows such a person."""
    return bool(session.scalar(_KNOWN, {"user_id": user_id}))


def lock(session: Session, user_id: UUID) -> Preferences:
    """What a person has said, changed by nobody else until the end of the transaction."""
    session.execute(_LOCK, {"user_id": str(user_id)})
    return of(session, [user_id]).get(user_id, Preferences(user_id))


def change(session: Session, said: Preferences, changes: Mapping[str, Any], now: datetime) -> Preferences:
    """Change what a person has said; what waits for the end of quiet hours is looked at anew.

    Args:
        session: The transaction, which holds it.
        said: What holds so far.
        changes: Attributes with their new values.
        now: The time to record.

    Returns:
        What holds now.
    """
    after = replace(said, **changes, updated_at=now)
    lists = {"refused_channels": list(after.refused_channels), "opted_out": list(after.opted_out)}
    session.execute(_WRITE, asdict(after) | lists)
    session.execute(_LOOK_AGAIN, {"user_id": said.user_id, "now": now})
    return after


def opted_in_at(session: Session, user_id: UUID, category: str) -> datetime | None:
    """When the person last asked to be written to again about a category; None where that never was."""
    at: datetime | None = session.scalar(_OPTED_IN_AT, {"user_id": user_id, "category": category})
    return at
