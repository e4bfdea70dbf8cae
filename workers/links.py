"""Links on our own domain, as the settings have them: the channels make them, the ingress follows them."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from db.queries import links
from services.notifications.links import Links
from services.notifications.unsubscribe import Unsubscribe
from workers.clock import utc_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.settings import Settings


def make_links(settings: Settings, sessions: sessionmaker[Session]) -> Links:
    """Put short links together; nothing is connected before it is used."""
    return Links(
        sessions=sessions,
        public_url=str(settings.public_url).rstrip("/"),
        app_url=str(settings.app_url),
        clock=utc_now,
        lifetime=timedelta(days=settings.link_days),
    )


def make_unsubscribe(settings: Settings, sessions: sessionmaker[Session]) -> Unsubscribe:
    """Put unsubscribe links together; their key is the installation's, read when it is first needed."""

    @cache
    def key() -> bytes:
        with sessions() as session:
            return links.signing_key(session)

    return Unsubscribe(sessions, str(settings.public_url).rstrip("/"), key, utc_now)
