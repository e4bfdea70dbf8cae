"""From an event's commit to its e-mail accepted by the provider, on an idle system of real processes."""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.benchmarks.waiting import wait_for
from workers.dev import accounts
from workers.dev.application import Application
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.embedded.redis import EmbeddedRedis

EVENTS = 60
WARM_UP = 5
IDLE_SECONDS = 0.15
SETTLED_SECONDS = 20.0
PROVIDER_SECONDS = (0.0, 0.05)

_STATIONS = text("""
    select f.event_id, a.token::text, f.fanned_out_at, a.opened_at, a.closed_at
    from fleet.fanouts f
    join public.notifications n on n.event_id = f.event_id
    join public.notification_deliveries d on d.notification_id = n.id and d.channel = 'EMAIL'
    join fleet.attempts a on a.delivery_id = d.id
""")


@pytest.fixture
def stack(database_url: str, redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Stack]:
    # All of it goes to one person.
    limit = {"FLEET_RECIPIENT_PER_HOUR": "1000000"}
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url} | limit
    with Stack(tmp_path, bare_environment(os.environ) | given, processes=("relay", "worker")) as stack:
        yield stack


def test_commit_to_accepted(stack: Stack, owner_url: str, sessions: sessionmaker[Session]) -> None:
    rows = [
        f"{EVENTS} events one at a time, idle for up to {IDLE_SECONDS * 1000:.0f} ms between; milliseconds",
        f"{'':44} {'p50':>7} {'p95':>7} {'max':>7}",
    ]
    with Application(owner_url) as application, stack.sandbox as sandbox:
        sandbox.set_webhook_url("")
        client = application.pay(application.register("camille@example.com", "Camille Exemple"))
        document = application.upload(client, "PASSPORT")
        _until_settled(sessions)
        for seconds in PROVIDER_SECONDS:
            sandbox.set_latency(seconds)
            committed = _events(application, document, sessions)
            accepted = {message.custom_args["attempt"]: message.accepted_at for message in sandbox.messages()}
            with sessions() as session:
                stations = [row for row in session.execute(_STATIONS) if row.event_id in committed]
            assert len(stations) == EVENTS
            legs = {
                "commit to accepted": [(committed[s.event_id], accepted[s.token]) for s in stations],
                "  commit to fan-out begun": [(committed[s.event_id], s.fanned_out_at) for s in stations],
                "  fan-out begun to e-mail claimed": [(s.fanned_out_at, s.opened_at) for s in stations],
                "  e-mail claimed to accepted": [(s.opened_at, accepted[s.token]) for s in stations],
                "  accepted to settled": [(accepted[s.token], s.closed_at) for s in stations],
            }
            rows.append(f"provider answers after {seconds * 1000:.0f} ms")
            rows += [_line(label, leg) for label, leg in legs.items()]
    sys.stdout.write("\n\n" + "\n".join(rows) + "\n")


def _events(
    application: Application, document: UUID, sessions: sessionmaker[Session]
) -> dict[UUID, datetime]:
    """When each measured event was committed, by its id."""
    idle = random.Random(1)  # noqa: S311 - spreads the events over the relay's poll, guards nothing
    committed = {}
    for number in range(WARM_UP + EVENTS):
        event_id = application.review(document, "APPROVED")
        if number >= WARM_UP:
            committed[event_id] = datetime.now(UTC)
        _until_settled(sessions)
        time.sleep(idle.uniform(0, IDLE_SECONDS))
    return committed


def _until_settled(sessions: sessionmaker[Session]) -> None:
    def settled() -> bool:
        with sessions() as session:
            return accounts.unsettled(session) == 0

    wait_for(settled, SETTLED_SECONDS, "everything is settled")


def _line(label: str, legs: list[tuple[datetime, datetime]]) -> str:
    milliseconds = [(end - begin).total_seconds() * 1000 for begin, end in legs]
    p95 = quantiles(milliseconds, n=20)[-1]
    return f"{label:44} {median(milliseconds):7.1f} {p95:7.1f} {max(milliseconds):7.1f}"
