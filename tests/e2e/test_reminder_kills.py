"""Workers killed while orders are reminded of; the benchmark of that name is the long run."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
import redis

from tests.benchmarks import reminder_kills
from tests.e2e.timed import Clock
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e

LOAD = reminder_kills.Load(kills=3, orders=12, pause=1.0, settled=40)


def test_three_kills(database: Database, redis_server: EmbeddedRedis, run_folder: Path) -> None:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    given = bare_environment(os.environ) | reminder_kills.ENVIRONMENT
    given |= {"DATABASE_URL": database.url, "REDIS_URL": redis_server.url}
    folder = run_folder / f"reminder-kills-{secrets.token_hex(4)}"
    clock = Clock(folder / "clock")
    with Stack(folder, given, reminder_kills.PROCESSES, program=clock.program) as stack:
        verdict = reminder_kills.run(stack, clock, LOAD, database.owner_url)
    assert not verdict.faults, verdict.lines()
