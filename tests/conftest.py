"""Real servers for all tests: a PostgreSQL, a Redis-compatible server, and a database for each test.

What is under test logs in as the role that ``fleet db role`` makes: ``database_url``, ``sessions``. Whoever
migrates, plays the platform's application or looks into its tables is the owner: ``owner_url``,
``application``.
"""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session, sessionmaker

from db import migrate
from db.engine import make_engine
from db.seed import seed
from tests.databases import Database, Server, engine_of, let_in, new_database, server_with_role
from workers.dev.embedded.folders import claim, sweep
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell starts its background jobs with SIGINT ignored, and children inherit that: some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

FLEET_FOLDER = Path(__file__).parents[1] / ".fleet"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that run within a test set logging up as their own process would."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


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


@pytest.fixture(scope="session")
def _server(postgres_url: str) -> Iterator[Server]:
    with server_with_role(postgres_url) as server:
        yield server


@pytest.fixture
def blank(_server: Server) -> Iterator[Database]:
    """A database with nothing in it, the fleet's role not let in yet."""
    with new_database(_server) as database:
        yield database


@pytest.fixture
def empty_database(blank: Database) -> str:
    """The same as its owner."""
    return blank.owner_url


@pytest.fixture(scope="session")
def _template(_server: Server) -> Iterator[Database]:
    with new_database(_server) as database:
        migrate.upgrade(database.owner_url)
        engine = make_engine(database.owner_url, pool_size=1)
        with Session(engine) as session, session.begin():
            seed(session)
        engine.dispose()
        let_in(database)
        yield database


@pytest.fixture(scope="module")
def module_database(_server: Server, _template: Database) -> Iterator[Database]:
    """As ``database``, shared by the tests of a module."""
    with new_database(_server, _template) as database:
        yield database


@pytest.fixture
def database(_server: Server, _template: Database) -> Iterator[Database]:
    """A database at the newest revision, with the platform's products, of this test's own."""
    with new_database(_server, _template) as database:
        yield database


@pytest.fixture
def database_url(database: Database) -> str:
    """The database as the fleet's role: for what the fleet's processes do."""
    return database.url


@pytest.fixture
def owner_url(database: Database) -> str:
    """The same as its owner: for migrations and what else changes its schema, and for the application."""
    return database.owner_url


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    """Sessions of the fleet's role, for the services under test."""
    yield from _sessions(database_url)


@pytest.fixture
def application(owner_url: str) -> Iterator[sessionmaker[Session]]:
    """Sessions of the owner, to play the platform's application and to look into all tables."""
    yield from _sessions(owner_url)


def _sessions(url: str) -> Iterator[sessionmaker[Session]]:
    with engine_of(url) as engine:
        yield sessionmaker(engine, expire_on_commit=False)
