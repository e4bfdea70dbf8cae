from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from db import migrate
from db.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


@pytest.fixture
def platform(empty_database: str) -> Iterator[Engine]:
    """A database with the platform's schema and nothing of the fleet's."""
    migrate.upgrade(empty_database, "0001_platform_v2")
    engine = make_engine(empty_database, pool_size=2)
    yield engine
    engine.dispose()
