"""Real servers for all tests: a PostgreSQL, a Redis-compatible server, and a database for each test."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session, sessionmaker

from db import migrate
from db.engine import dsn, make_engine
from db.seed import seed
from workers.dev.embedded.folders import claim, sweep
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell starts its background jobs with SIGINT ignored, and children inherit that: some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

FLEET_FOLDER = Path(__file__).parents[1] / ".fleet"


@pytest.fixture(scope="session")
def run_folder() -> Iterator[Path]:
    """A folder for this run, removed with everything in it; what earlier runs left is cleared first."""
    sweep(FLEET_FOLDER)
    folder = FLEET_FOLDER / f"test-{os.getpid()}"
    with claim(folder) as held:
        yield folder
        held.clear()


@pytest.fixture(scope="session")
def postgres_url(run_folder: Path) -> Iterator[str]:
    """A PostgreSQL server where databases may be made: that of DATABASE_URL, or an embedded one."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    with EmbeddedPostgres(run_folder) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_server(run_folder: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(run_folder) as server:
        yield server


def _database_url(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _create(server: str, template: str | None = None) -> str:
    name = f"fleet_test_{secrets.token_hex(6)}"
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" template {}").format(sql.Identifier(template))
    with psycopg.connect(dsn(server), autocommit=True) as connection:
        connection.execute(statement)
    return _database_url(server, name)


def _drop(server: str, url: str) -> None:
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(dsn(server), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    url = _create(postgres_url)
    yield url
    _drop(postgres_url, url)


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> Iterator[str]:
    url = _create(postgres_url)
    migrate.upgrade(url)
    engine = make_engine(url, pool_size=1)
    with Session(engine) as session, session.begin():
        seed(session)
    engine.dispose()
    yield urlsplit(url).path.removeprefix("/")
    _drop(postgres_url, url)


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """As ``database_url``, shared by the tests of a module."""
    url = _create(postgres_url, _template)
    yield url
    _drop(postgres_url, url)


@pytest.fixture
def database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """A database at the newest revision, with the platform's products, of this test's own."""
    url = _create(postgres_url, _template)
    yield url
    _drop(postgres_url, url)


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(database_url)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()
