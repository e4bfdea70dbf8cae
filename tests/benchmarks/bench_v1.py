"""The upgrade from v1 with 100,000 dossiers and writers at work, and twenty kills of it."""

from __future__ import annotations

import random
import sys
import threading
import time
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

from db import catalog, catalogs, v1
from db.engine import dsn
from tests.v1.rows import populate, v1_database
from tests.v1.test_upgrade import kills_then_upgrade, quiet, read_catalog, state

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).with_name("v1_data.sql").read_bytes()
DOSSIERS = 100_000
WRITERS = 3
LONGEST_SECONDS = 120.0
LONGEST_WAIT_SECONDS = 1.0
KILLS = 20

_BEFORE = (
    "update dossiers set status = 'CLOSED', updated_at = now() where id = %(dossier)s",
    "insert into dossier_status_history (dossier_id, status) values (%(dossier)s, 'CLOSED')",
    "insert into messages (dossier_id, content) values (%(dossier)s, 'Bonjour')",
    "insert into document_versions (document_id, file_url) values (%(document)s, 'https://files.example.com')",
    "update dossiers set current_step_id = %(step)s where id = %(dossier)s",
    "insert into events (entity_type, entity_id, event_type) values ('dossier', %(dossier)s, 'STEP_STARTED')",
    "update profiles set full_name = 'Camille Exemple' where id = %(user)s",
)
_AFTER = (
    "update dossiers set status = 'COMPLETED' where id = %(dossier)s",
    "update profiles set full_name = 'Camille Exemple' where id = %(user)s",
)


class Writer(threading.Thread):
    """The old application: one short transaction after the other, and the new one's from the cut-over on."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__()
        self.url = url
        self.random = random.Random(seed)  # noqa: S311 -- any order of work does
        self.stopped = threading.Event()
        self.waits: list[float] = []
        self.refused = 0
        self.longest: tuple[float, str] = (0.0, "")

    def run(self) -> None:
        statements: tuple[str, ...] = _BEFORE
        with psycopg.connect(dsn(self.url), autocommit=True) as connection:
            while not self.stopped.wait(0.005):
                statement = self.random.choice(statements)
                began = time.monotonic()
                try:
                    connection.execute(statement.encode(), self._row())
                except (errors.UndefinedColumn, errors.NotNullViolation):
                    statements = _AFTER
                except errors.ForeignKeyViolation:
                    self.refused += 1  # a dossier that was set aside
                wait = time.monotonic() - began
                self.waits.append(wait)
                self.longest = max(self.longest, (wait, statement))

    def _row(self) -> dict[str, Any]:
        number = self.random.randrange(1, DOSSIERS)
        return {
            "dossier": _uuid(f"dossier{number}"),
            "document": _uuid(f"document{number}-1"),
            "user": _uuid(f"user{number % 50000 + 1}"),
            "step": _uuid(f"step{number % 3 + 1}"),
        }


def _uuid(name: str) -> str:
    return md5(name.encode(), usedforsecurity=False).hexdigest()


def test_two_million_rows_with_writers_at_work(postgres_url: str) -> None:
    with v1_database(postgres_url) as url:
        with psycopg.connect(dsn(url)) as connection:
            connection.execute(DATA)
        writers = [Writer(url, seed) for seed in range(WRITERS)]
        for writer in writers:
            writer.start()
        progress, steps = _stopwatch()
        began = time.monotonic()
        try:
            report = v1.upgrade(url, progress)
        finally:
            seconds = time.monotonic() - began
            for writer in writers:
                writer.stopped.set()
            for writer in writers:
                writer.join()
        waits = sorted(wait for writer in writers for wait in writer.waits)
        longest = max(writer.longest for writer in writers)
        rows = sum(table.before for table in report.tables)
        aside = sum(table.set_aside for table in report.tables)
        lines = [
            f"{rows:,} rows in {seconds:.1f} s; {aside:,} set aside",
            f"{WRITERS} writers, {len(waits):,} writes; milliseconds:",
            *(f"{name:15} {wait * 1000:6.0f}" for name, wait in _percentiles(waits).items()),
            f"longest: {longest[1]}",
            *(f"{name:15} {taken:6.1f} s" for name, taken in steps.items()),
        ]
        sys.stdout.write("\n\n" + "\n".join(lines) + "\n")
        assert catalog.differences(catalogs.load("v2"), read_catalog(url)) == []
        assert seconds < LONGEST_SECONDS
        assert longest[0] < LONGEST_WAIT_SECONDS


def _percentiles(waits: list[float]) -> dict[str, float]:
    return {"p50": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100], "longest": waits[-1]}


def _stopwatch() -> tuple[Callable[[str, int, int], None], dict[str, float]]:
    steps: dict[str, float] = {}
    last = time.monotonic()

    def progress(step: str, _done: int, _total: int) -> None:
        nonlocal last
        now = time.monotonic()
        steps[step] = steps.get(step, 0.0) + now - last
        last = now

    return progress, steps


def test_twenty_kills(postgres_url: str) -> None:
    moments = random.Random(20)  # noqa: S311 -- any moments do
    with v1_database(postgres_url) as killed, v1_database(postgres_url) as whole:
        for url in (killed, whole):
            with psycopg.connect(dsn(url)) as connection:
                populate(connection, seed=20, size=60)
        kills_then_upgrade(killed, [moments.uniform(0.02, 0.4) for _ in range(KILLS)])
        v1.upgrade(whole, quiet)

        assert state(killed) == state(whole)
        assert read_catalog(killed) == read_catalog(whole)
