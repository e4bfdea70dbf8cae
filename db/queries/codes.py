"""Codes of providers that no table of codes lists, counted so that somebody adds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class UnseenCode:
    """A code that was taken by the safe default."""

    provider: str
    code: str
    taken_as: str
    seen: int
    first_seen: datetime
    last_seen: datetime


_COUNT = text("""
    insert into fleet.unseen_codes as u (provider, code, taken_as, seen, first_seen, last_seen, last_token)
    select provider, code, min(taken_as), count(*), :now, :now, (array_agg(token))[1]
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(provider text, code text, taken_as text, token uuid)
    group by provider, code
    order by provider, code
    on conflict (provider, code) do update
    set seen = u.seen + excluded.seen, last_seen = excluded.last_seen, taken_as = excluded.taken_as,
        last_token = excluded.last_token
""")

_UNSEEN = text("""
    select provider, code, taken_as, seen, first_seen, last_seen
    from fleet.unseen_codes
    order by last_seen desc, provider, code
    limit 100
""")


def count_unseen(session: Session, rows: str, now: datetime) -> None:
    """Count codes, given as a JSON array of ``{provider, code, taken_as, token}``."""
    session.execute(_COUNT, {"rows": rows, "now": now})


def unseen(session: Session) -> list[UnseenCode]:
    """The codes counted so far, the latest first."""
    return [UnseenCode(**row) for row in session.execute(_UNSEEN).mappings()]
