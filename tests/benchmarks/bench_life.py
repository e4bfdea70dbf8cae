"""Many long lives of deliveries, others each time: what the suite tries briefly."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.notifications.one_database import clone
from tests.notifications.test_life import Ground, live, watched
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database

LIVES = int(os.environ.get("FLEET_LIVES", "300"))
STEPS = int(os.environ.get("FLEET_LIFE_STEPS", "60"))


@pytest.fixture
def database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


def test_many_long_lives(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    began = time.monotonic()
    with (
        Application(database.owner_url) as app,
        watched(Ground(database, sessions, application, app)) as ground,
    ):
        live(ground, LIVES, STEPS, by_chance=True)
    sys.stdout.write(f"\n\n{LIVES} lives of up to {STEPS} steps in {time.monotonic() - began:.0f} s\n")
