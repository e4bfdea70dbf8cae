"""The upgrade from v1 with 100,000 dossiers, and the way back: every row as it was, and how long it takes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import psycopg

from db import catalog, catalogs, migrate, removal
from db.engine import dsn
from db.v1.report import TABLES
from tests.benchmarks.bench_v1 import DATA
from tests.v1.rows import v1_database
from tests.v1.test_upgrade import quiet, read_catalog

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SECONDS = 120.0


def test_two_million_rows_there_and_back(postgres_url: str) -> None:
    with v1_database(postgres_url) as url:
        with psycopg.connect(dsn(url)) as connection:
            connection.execute(DATA)
        before = sums(url)
        there, _ = timed(lambda: migrate.upgrade(url))
        looked, losses = timed(lambda: removal.v1_losses(url))
        assert losses == []

        back, _ = timed(lambda: removal.back_to_v1(url, quiet))

        rows = sum(count for count, _ in before.values())
        sys.stdout.write(
            f"\n\n{rows:,} rows; there in {there:.1f} s, looked in {looked:.1f} s, back in {back:.1f} s\n"
        )
        assert sums(url) == before
        assert catalog.differences(catalogs.load("v1"), read_catalog(url)) == []
        assert back < LONGEST_SECONDS


def sums(url: str) -> dict[str, Any]:
    """Each table's number of rows, and a sum over all that they hold, in whatever order the columns are."""
    with psycopg.connect(dsn(url)) as connection:
        return {
            table: connection.execute(
                f"select count(*), sum(hashtextextended(to_jsonb(t)::text, 0)) from {table} t".encode()
            ).fetchone()
            for table in TABLES
        }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result
