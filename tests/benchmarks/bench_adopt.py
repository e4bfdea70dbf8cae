"""Twenty kills of the adoption, on each of the platform's databases of version 2."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import pytest

from db import migrate, removal
from db.progress import quiet
from tests.db import kills
from tests.db.platforms import make_v2
from tests.db.test_adopt import make_additions

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = 20


@pytest.mark.parametrize("make", [make_v2, make_additions])
def test_twenty_kills(empty_database: str, make: Callable[[str], None]) -> None:
    moments = random.Random(20)  # noqa: S311 -- any moments do
    make(empty_database)
    kills.populate(empty_database)
    migrate.upgrade(empty_database)
    led_to = kills.state(empty_database)
    assert removal.remove(empty_database, quiet)

    killed = kills.kill(empty_database, [moments.random() for _ in range(KILLS)])
    migrate.upgrade(empty_database)
    sys.stdout.write(f"\n{make.__name__}: {killed} of {KILLS} killed in their midst\n")

    assert kills.state(empty_database) == led_to
