"""Short links on the fleet's own domain, which lead to the platform's site and nowhere else."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from db.queries import links

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

log = logging.getLogger(__name__)

PATH: Final = "/l"
"""Below the public URL; a slash and the token follow."""

REMEMBERED: Final = timedelta(days=30)
"""So long people are told that a link has expired; later it is unknown."""

_TOKEN_BYTES: Final = 12
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16}")
# Nothing that browsers and parsers read in different ways: controls, backslashes, a name before the host.
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?#][!-\[\]-~]*)?")
_PORTS: Final = {"http": 80, "https": 443}


class Lost(Enum):
    """Why a link leads nowhere."""

    UNKNOWN = auto()
    EXPIRED = auto()


@dataclass(frozen=True)
class Links:
    """Makes short links, and says where they lead.

    Attributes:
        sessions: Makes sessions.
        public_url: Where people reach the ingress, without a slash at the end.
        app_url: The platform's site.
        clock: Gives the time, aware, UTC.
        lifetime: How long a link leads anywhere.
    """

    sessions: sessionmaker[Session]
    public_url: str
    app_url: str
    clock: Callable[[], datetime]
    lifetime: timedelta

    def shorten(self, target: str, notification_id: UUID, user_id: UUID) -> str:
        """A short link to a target, the same each time for the same message.

        What is not on the platform's site, or is a page of the fleet's already, is returned as it is; and so
        is everything while the database takes no links: a long link is better than none.
        """
        if target.startswith(f"{self.public_url}/") or not self._is_ours(target):
            return target
        now = self.clock()
        wanted = links.NewLink(
            token=secrets.token_urlsafe(_TOKEN_BYTES),
            target=target,
            notification_id=notification_id,
            user_id=user_id,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        try:
            with self.sessions.begin() as session:
                token = links.shorten(session, wanted)
        except SQLAlchemyError as error:
            log.warning("notification %s goes with a long link (%s)", notification_id, type(error).__name__)
            return target
        return f"{self.public_url}{PATH}/{token}"

    def follow(self, token: str, *, count: bool) -> str | Lost:
        """Where a link leads.

        Args:
            token: What the address ends with.
            count: Whether somebody follows it.

        Raises:
            SQLAlchemyError: The database does not say.
        """
        if not _TOKEN.fullmatch(token):
            return Lost.UNKNOWN
        now = self.clock()
        with self.sessions.begin() as session:
            found = links.find(session, token)
            if found is None or not self._is_ours(found.target):
                return Lost.UNKNOWN
            if found.expires_at <= now:
                return Lost.EXPIRED
            if count:
                links.count(session, token, now)
        return found.target

    def _is_ours(self, target: str) -> bool:
        origin = _origin(target)
        return origin is not None and origin == _origin(self.app_url)


def expire(session: Session, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` links that expired long ago; return how many."""
    return links.expire(session, now - REMEMBERED, limit)


def _origin(address: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port, all given; None for what is no plain address."""
    if not _PLAIN.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
