"""One database for all of these tests: each has clients and orders of its own in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases import platform
from tests.notifications.one_database import clone
from tests.payments.till import Till

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database


@pytest.fixture(scope="session")
def _payments_database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def database(_payments_database: Database) -> Database:
    return _payments_database


@pytest.fixture
def till(
    sessions: sessionmaker[Session], application: sessionmaker[Session], owner_url: str
) -> Iterator[Till]:
    with platform(owner_url) as app:
        yield Till(sessions, application, app)
