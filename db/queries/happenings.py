"""What the fleet writes into the platform's events, always as SYSTEM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# The time of each by itself: of one transaction they would else have happened at once, in no order.
_WRITE = text("""
    insert into public.events (entity_type, entity_id, event_type, actor_type, payload, created_at)
    select r.entity_type, r.entity_id, cast(r.event_type as public.event_type), 'SYSTEM', r.payload,
      clock_timestamp()
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(entity_type text, entity_id uuid, event_type text, payload jsonb)
""")
_WRITE_MISSING = text(f"""
    {_WRITE.text}
    where not exists (
      select from public.events e
      where e.entity_type = r.entity_type and e.entity_id = r.entity_id
        and e.event_type::text = r.event_type)
""")


def write(session: Session, rows: str) -> None:
    """Write events.

    Args:
        session: The transaction of what has happened.
        rows: A JSON array of ``{entity_type, entity_id, event_type, payload}``.
    """
    session.execute(_WRITE, {"rows": rows})


def write_missing(session: Session, rows: str) -> None:
    """Write those of which their subject has none of the type, whoever wrote it; rows as for ``write``.

    It is for a transaction that holds what would write them as well.
    """
    session.execute(_WRITE_MISSING, {"rows": rows})
