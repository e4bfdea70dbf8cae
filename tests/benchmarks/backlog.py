"""A backlog of e-mails that are due, and how fast it was worked off, by the database's own account."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from services.notifications.fanout import FanOut
from services.notifications.render import Company, Renderer
from services.notifications.retry import RetryPolicy

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

_EVENTS = text("""
    insert into public.events (entity_type, entity_id, event_type, actor_type, payload)
    select 'document', :document_id, 'DOCUMENT_REVIEWED', 'AGENT', '{"status": "APPROVED"}'
    from generate_series(1, :count)
""")
_DUE = text("select delivery_id from fleet.dispatch where channel = 'EMAIL'")
_PENDING = text("select count(*) from public.notification_deliveries where status = 'PENDING'")
_SPAN = text("""
    select count(*) as sent, extract(epoch from max(sent_at) - min(sent_at))::float8 as seconds
    from public.notification_deliveries where status = 'SENT' and id = any(:ids)
""")


@dataclass(frozen=True)
class Backlog:
    """E-mails of an approved document, fanned out and due."""

    sessions: sessionmaker[Session]
    ids: tuple[UUID, ...]

    def ended(self) -> int:
        """How many of them are not PENDING any more, where nothing else is."""
        with self.sessions() as session:
            pending: int = session.scalars(_PENDING).one()
        return len(self.ids) - pending

    def per_second(self, provider_seconds: float) -> float:
        """E-mails a second, from the first send to the last row SENT; the first took the provider's time."""
        with self.sessions() as session:
            span = session.execute(_SPAN, {"ids": list(self.ids)}).one()
        assert span.sent == len(self.ids), f"{span.sent} of {len(self.ids)} were sent"
        seconds: float = span.seconds + provider_seconds
        return len(self.ids) / seconds


def make_due(sessions: sessionmaker[Session], document_id: UUID, count: int) -> Backlog:
    """Insert events on a document and fan them out."""
    with sessions.begin() as session:
        session.execute(_EVENTS, {"document_id": document_id, "count": count})
    renderer = Renderer(Company("Partners VRAI"))
    fan_out = FanOut(
        sessions=sessions,
        renderer=renderer,
        locale="fr",
        app_announces=frozenset(),
        policy=RetryPolicy(),
        clock=lambda: datetime.now(UTC),
        jitter=random.random,
        region="FR",
    )
    fan_out.run(lambda: False)
    with sessions() as session:
        return Backlog(sessions, tuple(session.scalars(_DUE)))


def take_off_the_queue(sessions: sessionmaker[Session]) -> None:
    """Leave the deliveries PENDING and out of the fleet's hands."""
    with sessions.begin() as session:
        session.execute(text("truncate fleet.dispatch"))
