"""What each process of the compose file costs: memory, threads, CPU without work, lines to the servers."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
from sqlalchemy import text

from tests.benchmarks.bench_throughput import provider
from tests.benchmarks.process_memory import Memory, lines_to, memory, threads
from tests.benchmarks.process_time import cpu_seconds
from tests.benchmarks.waiting import wait_for
from tests.deploy.composed import megabytes, services, starting_order
from workers.dev.application import Application
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

EVENTS = 5000
QUIET_SECONDS = 20.0
STARTED_SECONDS = 60.0
WORKED_OFF_SECONDS = 180.0
ROOM = 1.5
"""The least that a limit is above the most that was measured."""

_EVENTS = text("""
    insert into public.events (entity_type, entity_id, event_type, actor_type, payload)
    select 'document', :document_id, 'DOCUMENT_REVIEWED', 'AGENT', '{"status": "APPROVED"}'
    from generate_series(1, :count)
""")
_SENT = text(
    "select count(*) from public.notification_deliveries where channel = 'EMAIL' and status = 'SENT'"
)
_TICKED = text("select count(*) from fleet.schedule where finished_at is not null")


@dataclass(frozen=True)
class Cost:
    """Of one process.

    Attributes:
        quiet: Its memory when all is up and nothing has been done.
        worked: The same after the work.
        idle: Its CPU without work, in percent of one.
    """

    name: str
    quiet: Memory
    worked: Memory
    idle: float
    threads: int
    database_lines: int
    broker_lines: int


@pytest.fixture
def stack(database: Database, redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Stack]:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    with provider(tmp_path / "provider.log") as (_, base):
        given = bare_environment(os.environ) | {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_server.url,
            "SENDGRID_API_KEY": "SG.made-up",
            "SENDGRID_BASE_URL": base,
            "FLEET_EMAILS_PER_SECOND": "1000000",
            "FLEET_RECIPIENT_PER_HOUR": "1000000",
        }
        with Stack(tmp_path, given, processes=("ingress", "flower")) as stack:
            for name in starting_order():
                if name.startswith("worker-") or name in {"relay", "beat"}:
                    stack.spawn(name, *services()[name]["command"])
            yield stack


def test_what_each_process_costs(
    stack: Stack, database: Database, application: sessionmaker[Session]
) -> None:
    with Application(database.owner_url) as app:
        client = app.pay(app.register("camille@example.com", "Camille Exemple"))
        document_id = app.upload(client, "PASSPORT")
    wait_for(lambda: _count(application, _TICKED) > 0, STARTED_SECONDS, "the timetable is kept")
    wait_for(lambda: _count(application, _SENT) > 0, STARTED_SECONDS, "the client is welcomed")
    pids = {name: child.pid for name, child in stack.children.items()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(QUIET_SECONDS)  # nothing to wait for: it is what nothing costs
    idle = {name: (cpu_seconds(pid) - before[name]) / QUIET_SECONDS * 100 for name, pid in pids.items()}
    quiet = {name: memory(pid) for name, pid in pids.items()}
    sent_before = _count(application, _SENT)
    with application.begin() as session:
        session.execute(_EVENTS, {"document_id": document_id, "count": EVENTS})
    began = time.monotonic()
    wait_for(
        lambda: _count(application, _SENT) - sent_before == EVENTS, WORKED_OFF_SECONDS, "all e-mails are sent"
    )
    rate = EVENTS / (time.monotonic() - began)
    server, broker = (urlsplit(stack.environment[name]).port or 0 for name in ("DATABASE_URL", "REDIS_URL"))
    costs = [
        Cost(
            name,
            quiet[name],
            memory(pid),
            idle[name],
            threads(pid),
            lines_to(pid, server),
            lines_to(pid, broker),
        )
        for name, pid in pids.items()
    ]
    sys.stdout.write(
        f"\n\n{_table(costs)}\nfrom event to accepted e-mail, all together: {rate:.0f} a second\n"
    )
    for cost in costs:
        limit = megabytes(services()[cost.name]["deploy"]["resources"]["limits"]["memory"])
        assert cost.worked.peak * ROOM <= limit, (
            f"{cost.name} may take {limit} MB and took {cost.worked.peak}"
        )


def _count(sessions: sessionmaker[Session], query: TextClause) -> int:
    with sessions() as session:
        count: int = session.scalars(query).one()
    return count


def _table(costs: list[Cost]) -> str:
    columns = ("start", "work", "peak", "own", "CPU %", "threads", "PG", "Redis")
    rows = [
        f"MB resident after the start and after {EVENTS} e-mails, of it not shared; CPU without work",
        " " * 17 + "".join(f" {column:>7}" for column in columns),
    ]
    rows += [
        f"{c.name:17} {c.quiet.now:7.0f} {c.worked.now:7.0f} {c.worked.peak:7.0f} {c.worked.own:7.0f}"
        f" {c.idle:7.1f} {c.threads:7} {c.database_lines:7} {c.broker_lines:7}"
        for c in costs
    ]
    return "\n".join(rows)
