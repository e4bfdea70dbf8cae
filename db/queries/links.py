"""Links on the fleet's own domain."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class NewLink:
    """A short link to be made.

    Attributes:
        token: What nobody guesses.
        target: Where it leads.
        notification_id: The message that it stands in.
        user_id: Whom it is sent to.
        created_at: When.
        expires_at: From when on it leads nowhere.
    """

    token: str
    target: str
    notification_id: UUID
    user_id: UUID
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Where a link leads, and until when."""

    target: str
    expires_at: datetime


# A message that is sent again carries the same link, and it lasts as long as a new one would.
_SHORTEN = text("""
    insert into fleet.links as l
      (token, kind, target, notification_id, user_id, created_at, expires_at)
    values (:token, 'SHORT', :target, :notification_id, :user_id, :created_at, :expires_at)
    on conflict (notification_id, target) where kind = 'SHORT' do update
    set expires_at = greatest(l.expires_at, excluded.expires_at)
    returning token
""")

_FIND = text("select target, expires_at from fleet.links where token = :token and kind = 'SHORT'")

_COUNT = text("""
    update fleet.links
    set clicks = clicks + 1, first_clicked_at = coalesce(first_clicked_at, :now),
        last_clicked_at = greatest(last_clicked_at, :now)
    where token = :token and kind = 'SHORT'
""")

_SIGNING_KEY = text("select link_key from fleet.installation")

_EXPIRE = text("""
    delete from fleet.links where token in (
      select token from fleet.links where expires_at <= :until
      order by expires_at limit :limit for update skip locked)
""")


def shorten(session: Session, link: NewLink) -> str:
    """Store a link, once per message and target; return the token that it has."""
    return str(session.scalar(_SHORTEN, asdict(link)))


def find(session: Session, token: str) -> Found | None:
    """The short link with a token, expired or not."""
    row = session.execute(_FIND, {"token": token}).mappings().one_or_none()
    return None if row is None else Found(**row)


def count(session: Session, token: str, now: datetime) -> None:
    """Note that a link was followed."""
    session.execute(_COUNT, {"token": token, "now": now})


def signing_key(session: Session) -> bytes:
    """The key of this installation's signed links."""
    return bytes(session.execute(_SIGNING_KEY).scalar_one())


def expire(session: Session, until: datetime, limit: int) -> int:
    """Delete up to ``limit`` links, of any kind, that expired by a time; return how many."""
    result: Any = session.execute(_EXPIRE, {"until": until, "limit": limit})
    return int(result.rowcount)
