"""E-mails a second out of a backlog: the fleet against a Celery task per delivery with the SDK as it is."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from celery import Celery
from sqlalchemy import text

from tests.benchmarks import backlog
from tests.benchmarks.process_time import cpu_seconds, parent_of
from tests.benchmarks.waiting import wait_for
from workers.dev.application import Application
from workers.dev.processes import ChildProcess
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

PROVIDER_SECONDS = 0.05
# The slower, the fewer: a rate is known after some ten seconds.
EMAILS = 3000
EMAILS_BY_THREADS = 1500
EMAILS_BY_PREFORK = 300

STARTED_SECONDS = 10.0
WORKED_OFF_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bench:
    """What all contenders share."""

    environment: Mapping[str, str]
    application: sessionmaker[Session]
    document_id: UUID
    folder: Path
    bystanders: Mapping[str, int]
    """Process ids, by name."""


@dataclass(frozen=True)
class Result:
    label: str
    emails: int
    per_second: float
    cpu_ms: Mapping[str, float]
    """Per e-mail, by process."""


def test_emails_a_second(bench: Bench) -> None:
    theirs = [
        per_delivery(bench, "threads", 32, EMAILS_BY_THREADS),
        per_delivery(bench, "prefork", 2 * (os.cpu_count() or 1), EMAILS_BY_PREFORK),
    ]
    ours = [fleet(bench, workers) for workers in (1, 2)]
    best = max(result.per_second for result in theirs)
    names = list(dict.fromkeys(name for result in ours for name in result.cpu_ms))
    rows = [
        f"A backlog of e-mails, the provider answers after {PROVIDER_SECONDS * 1000:.0f} ms",
        f"{'':34} {'e-mails':>7} {'e-mails/s':>9} {'ratio':>6}   CPU ms an e-mail: " + ", ".join(names),
    ]
    rows += [
        f"{result.label:34} {result.emails:7} {result.per_second:9.0f} {result.per_second / best:6.2f}   "
        + ", ".join(f"{result.cpu_ms.get(name, 0.0):.2f}" for name in names)
        for result in theirs + ours
    ]
    sys.stdout.write("\n\n" + "\n".join(rows) + "\n")


def per_delivery(bench: Bench, pool: str, concurrency: int, emails: int) -> Result:
    """Their messages are all on the broker before the worker starts: publishing is not on their bill."""
    due = backlog.make_due(bench.application, bench.document_id, emails)
    backlog.take_off_the_queue(bench.application)
    app = Celery(broker=bench.environment["REDIS_URL"], set_as_current=False)
    with app.connection_for_write() as connection:
        for delivery_id in due.ids:
            app.send_task(
                "tests.benchmarks.per_delivery_app.send_email",
                [str(delivery_id)],
                queue="per_delivery",
                connection=connection,
            )
    app.close()
    command = [
        *(sys.executable, "-m", "celery", "-A", "tests.benchmarks.per_delivery_app", "worker"),
        *(f"--pool={pool}", f"--concurrency={concurrency}"),
    ]
    worker = ChildProcess(command, log=bench.folder / f"{pool}.log", env=bench.environment, cwd=ROOT)
    try:
        return _measure(f"a task per delivery, {pool} {concurrency}", bench, due, {"worker": [worker.pid]})
    finally:
        worker.terminate(10)


def fleet(bench: Bench, workers: int) -> Result:
    due = backlog.make_due(bench.application, bench.document_id, EMAILS)
    with Stack(bench.folder, bench.environment, processes=("relay",)) as stack:
        pids = [stack.spawn(f"worker-{number}", "worker").pid for number in range(workers)]
        relay = stack.children["relay"].pid
        plural = "es" if workers > 1 else ""
        label = f"the fleet, {workers} worker process{plural}"
        return _measure(label, bench, due, {"worker": pids, "relay": [relay]})


def _measure(label: str, bench: Bench, due: backlog.Backlog, processes: Mapping[str, list[int]]) -> Result:
    watched = {**processes, **{name: [pid] for name, pid in bench.bystanders.items()}}
    what = f"{label} sends what is due; the logs are in {bench.folder}"
    wait_for(lambda: due.ended() > 0, WORKED_OFF_SECONDS, what)
    before, ended_before = _cpu(watched), due.ended()
    wait_for(lambda: due.ended() == len(due.ids), WORKED_OFF_SECONDS, what)
    after = _cpu(watched)
    cpu_ms = {name: (after[name] - before[name]) * 1000 / (len(due.ids) - ended_before) for name in watched}
    return Result(label, len(due.ids), due.per_second(PROVIDER_SECONDS), cpu_ms)


def _cpu(watched: Mapping[str, list[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, pids)) for name, pids in watched.items()}


@contextmanager
def provider(log: Path) -> Iterator[tuple[int, str]]:
    """The light stub rather than the sandbox, which would take as much CPU as what is measured."""
    program: list[str | Path] = [
        sys.executable,
        Path(__file__).with_name("stub_provider.py"),
        str(PROVIDER_SECONDS),
    ]
    child = ChildProcess(program, log=log)
    try:
        wait_for(lambda: bool(child.output()), STARTED_SECONDS, "the provider has a port")
        yield child.pid, f"http://127.0.0.1:{int(child.output())}"
    finally:
        child.kill()


@pytest.fixture
def bench(
    database: Database, redis_server: EmbeddedRedis, application: sessionmaker[Session], tmp_path: Path
) -> Iterator[Bench]:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    with Application(database.owner_url) as app:
        client = app.pay(app.register("camille@example.com", "Camille Exemple"))
        document_id = app.upload(client, "PASSPORT")
    backlog.make_due(application, document_id, 0)
    backlog.take_off_the_queue(application)
    with application.begin() as session:
        session.execute(text("delete from public.notification_deliveries"))
        backend = session.scalar(text("select pg_backend_pid()"))
    with provider(tmp_path / "provider.log") as (pid, base):
        environment = bare_environment(os.environ) | {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_server.url,
            "SENDGRID_API_KEY": "SG.made-up",
            "SENDGRID_BASE_URL": base,
            # The limits are counted, and never reached.
            "FLEET_EMAILS_PER_SECOND": "1000000",
            "FLEET_RECIPIENT_PER_HOUR": "1000000",
        }
        bystanders = {"PostgreSQL": parent_of(backend or 0), "Redis": redis_server.pid, "provider": pid}
        yield Bench(environment, application, document_id, tmp_path, bystanders)
