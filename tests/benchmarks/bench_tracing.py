"""What traces cost: the whole way of an event, with a provider that answers at once, followed and not."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from services import witness
from services.notifications.carriers import EmailCarrier
from services.notifications.delivery import Drain
from services.notifications.evidence import Evidence
from services.notifications.fanout import FanOut
from tests.collector import collecting
from tests.notifications.office import Counter, Office
from tests.notifications.one_database import clone, empty
from tests.notifications.pipeline import APP_URL, JITTER, LEASE, POLICY, RENDERER, Clock, never
from workers.dev.application import Application
from workers.tracing import QUEUE, Tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database

EVENTS = 1000
ROUNDS = 3
SPANS_OF_AN_EVENT = 3
assert EVENTS * SPANS_OF_AN_EVENT < QUEUE  # none is dropped, however slow the collector

_TELL = text("""
    insert into public.events (entity_type, entity_id, event_type, actor_type, payload)
    select entity_type, entity_id, event_type, actor_type, payload
    from public.events, generate_series(2, :events) where id = :id
""")
_HEAR = text("""
    insert into fleet.inbox (provider, callback_id, body)
    select 'sendgrid', 'e' || token, jsonb_build_object('event', 'delivered', 'attempt', token,
      'sg_message_id', provider_message_id)
    from fleet.attempts
""")


@pytest.fixture
def database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


def way(database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]) -> float:
    """Seconds from the fan-out to the last receipt."""
    empty(database)
    with Application(database.owner_url) as app:
        client = app.pay(app.register("camille@example.com", "Camille Exemple"))
        with application.begin() as session:
            session.execute(text("delete from fleet.outbox"))
        event_id = app.write_message(client, "Bonjour")
    with application.begin() as session:
        session.execute(_TELL, {"id": event_id, "events": EVENTS})
    clock = Clock()
    clock.forward(3600)
    carrier = EmailCarrier(Counter(Office(clock), "EMAIL"), RENDERER, "fr", APP_URL)
    drain = Drain("EMAIL", carrier, sessions, POLICY, timedelta(seconds=LEASE), 64, clock)
    fan_out = FanOut(sessions, RENDERER, "fr", frozenset(), POLICY, clock, lambda: JITTER, "FR")
    began = time.perf_counter()
    assert fan_out.run(never) == EVENTS
    assert drain.run(never) == EVENTS
    seconds = time.perf_counter() - began
    with application.begin() as session:
        session.execute(_HEAR)
    began = time.perf_counter()
    assert Evidence(sessions, clock).run(never) == EVENTS
    return seconds + time.perf_counter() - began


def test_following_costs_little(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    alone: list[float] = []
    followed: list[float] = []
    with collecting() as collector:
        for _ in range(ROUNDS):
            alone.append(way(database, sessions, application))
            tracing = Tracing(collector.url, "worker", "0.1.0", "test")
            witness.watch(tracing)
            followed.append(way(database, sessions, application))
            witness.unwatch()
            tracing.stop()
        assert len(collector.spans()) == ROUNDS * EVENTS * SPANS_OF_AN_EVENT
    ratio = median(followed) / median(alone)
    sys.stdout.write(
        f"\n\n{EVENTS:,} events to receipts: {median(alone):.2f} s, followed {median(followed):.2f} s:"
        f" {ratio:.2f} times; {(median(followed) - median(alone)) / EVENTS * 1e6:.0f} us an event\n"
    )
    assert ratio < 2
