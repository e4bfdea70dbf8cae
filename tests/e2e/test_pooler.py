"""Real processes behind a transaction pooler."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
import redis

from db import migrate
from db.pooling import PooledError, keeps_sessions
from db.recognise import Kind
from tests.db.platforms import make_v1, recognised
from tests.e2e.conftest import SOONER, Fleet, open_fleet
from tests.e2e.pgbouncer import pooler
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(run_folder: Path) -> Path:
    return run_folder / f"pooler-{secrets.token_hex(4)}"


@pytest.fixture
def fleet(folder: Path, database: Database, redis_server: EmbeddedRedis) -> Iterator[Fleet]:
    """A relay and a worker that reach their database by way of a transaction pooler alone."""
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    with pooler(folder, "transaction", database.url) as (url,):
        given = bare_environment(os.environ) | SOONER | {"DATABASE_URL": url, "REDIS_URL": redis_server.url}
        yield from open_fleet(Stack(folder, given, processes=("relay", "worker")), database.owner_url)


def test_an_event_is_told_behind_a_transaction_pooler(fleet: Fleet) -> None:
    client = fleet.client()
    event = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the message")
    fleet.wait_settled()
    assert fleet.delivery(event)["status"] == "SENT"
    assert fleet.status()["workers"]
    assert fleet.stack.children["relay"].output(60).count("notifications do not come through") == 1


@pytest.mark.parametrize(("mode", "kept"), [("transaction", False), ("session", True)])
def test_a_transaction_pooler_is_found_out(folder: Path, database_url: str, mode: str, *, kept: bool) -> None:
    assert keeps_sessions(database_url)
    with pooler(folder, mode, database_url) as (url,):
        assert keeps_sessions(url) is kept


def test_the_way_from_v1_does_not_go_through_one(folder: Path, blank: Database) -> None:
    make_v1(blank.owner_url)
    with (
        pooler(folder, "transaction", blank.owner_url) as (url,),
        pytest.raises(PooledError, match="direct connection"),
    ):
        migrate.upgrade(url)
    assert recognised(blank.owner_url).kind is Kind.V1


def test_the_rest_of_the_upgrade_does(folder: Path, blank: Database) -> None:
    with pooler(folder, "transaction", blank.owner_url) as (url,):
        migrate.upgrade(url)
        assert migrate.look(url).kind is Kind.V2_MANAGED
