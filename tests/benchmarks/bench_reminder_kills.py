"""Workers killed 200 times while 200 orders are reminded of: the accounts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import redis

from tests.benchmarks import reminder_kills
from tests.e2e.timed import Clock
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

LOAD = reminder_kills.Load(kills=200, orders=200, pause=1.5, settled=480)


def test_two_hundred_kills(database: Database, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    given = bare_environment(os.environ) | reminder_kills.ENVIRONMENT
    given |= {"DATABASE_URL": database.url, "REDIS_URL": redis_server.url}
    clock = Clock(tmp_path / "clock")
    with Stack(tmp_path, given, reminder_kills.PROCESSES, program=clock.program) as stack:
        verdict = reminder_kills.run(stack, clock, LOAD, database.owner_url)
    sys.stdout.write("\n\n" + "\n".join(verdict.lines()) + "\n")
    assert not verdict.faults
