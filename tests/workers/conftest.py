from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases import platform
from tests.notifications.one_database import clone, empty
from tests.notifications.pipeline import Clock
from tests.workers.ingress_server import serving

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from tests.workers.ingress_server import Caller
    from workers.dev.application import Application, Client


@pytest.fixture(scope="session")
def _one_database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def database(_one_database: Database) -> Database:
    """The same for all of these tests, emptied for each."""
    empty(_one_database)
    return _one_database


@pytest.fixture
def clock() -> Clock:
    """Ahead of the database's, so that everything inserted in the test is due."""
    clock = Clock()
    clock.forward(600)
    return clock


@pytest.fixture
def app(owner_url: str) -> Iterator[Application]:
    with platform(owner_url) as application:
        yield application


@pytest.fixture
def client(app: Application) -> Client:
    return app.register("camille@example.com", "Camille Exemple")


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture
def caller(
    sessions: sessionmaker[Session], clock: Clock, leaving: list[threading.Thread]
) -> Iterator[Caller]:
    with serving(sessions, clock, leaving) as caller:
        yield caller
