"""Workers killed 200 times under a load of three channels, and one answer in twenty dropped: the accounts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import redis

from tests.benchmarks import kills
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

LOAD = kills.Load(kills=200, clients=1000, pause=1.5, silent=True, settled=480)
# A question that a killed worker was about to put is free again after two minutes, and must come first.
UNKNOWN_WAIT_SECONDS = 150
LATENCY_SECONDS = 0.3


def test_two_hundred_kills(database: Database, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    given = bare_environment(os.environ) | kills.ENVIRONMENT
    given |= {
        "DATABASE_URL": database.url,
        "REDIS_URL": redis_server.url,
        "FLEET_UNKNOWN_WAIT_SECONDS": str(UNKNOWN_WAIT_SECONDS),
    }
    with Stack(tmp_path, given, kills.PROCESSES, latency=LATENCY_SECONDS) as stack:
        verdict = kills.run(stack, LOAD, database.owner_url)
    sys.stdout.write("\n\n" + "\n".join(verdict.lines()) + "\n")
    assert not verdict.faults
