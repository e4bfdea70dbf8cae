"""Workers killed under a load of three channels; ``tests/benchmarks/bench_kills.py`` is the long run."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
import redis

from tests.benchmarks import kills
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e

LOAD = kills.Load(kills=4, clients=48, pause=0.5, silent=False, settled=40)


def test_four_kills(database: Database, redis_server: EmbeddedRedis, run_folder: Path) -> None:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    given = bare_environment(os.environ) | kills.ENVIRONMENT
    given |= {"FLEET_UNKNOWN_WAIT_SECONDS": "7", "DATABASE_URL": database.url, "REDIS_URL": redis_server.url}
    folder = run_folder / f"kills-{secrets.token_hex(4)}"
    with Stack(folder, given, kills.PROCESSES, latency=0.3) as stack:
        verdict = kills.run(stack, LOAD, database.owner_url)
    assert not verdict.faults, verdict.lines()
    assert verdict.dropped > 0
