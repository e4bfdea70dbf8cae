"""One database for all of these tests, emptied for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases import platform
from tests.dossiers.casework import Casework
from tests.notifications.one_database import clone, empty
from tests.notifications.pipeline import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.application import Application


@pytest.fixture(scope="session")
def _dossiers_database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def database(_dossiers_database: Database) -> Database:
    empty(_dossiers_database)
    return _dossiers_database


@pytest.fixture
def app(owner_url: str) -> Iterator[Application]:
    with platform(owner_url) as application:
        yield application


@pytest.fixture
def work(
    sessions: sessionmaker[Session], application: sessionmaker[Session], app: Application
) -> Iterator[Casework]:
    casework = Casework(sessions, application, app, Clock())
    yield casework
    casework.forget_requirements()
