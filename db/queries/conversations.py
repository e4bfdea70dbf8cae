"""When a number last wrote to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# In the order of the key: two workers who note the same numbers never wait for each other in a circle.
_NOTE = text("""
    insert into fleet.conversations as c (channel, address, last_inbound_at)
    select channel, address, max(at)
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(channel text, address text, at timestamptz)
    group by channel, address
    order by channel, address
    on conflict (channel, address) do update
    set last_inbound_at = greatest(c.last_inbound_at, excluded.last_inbound_at)
""")


def note(session: Session, rows: str) -> None:
    """Note who has written to us, given as a JSON array of ``{channel, address, at}``."""
    session.execute(_NOTE, {"rows": rows})
