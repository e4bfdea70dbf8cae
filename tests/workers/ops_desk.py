"""Fixtures: the operators' pages served, and somebody in front of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.workers.ingress_server import serving
from tests.workers.operators import Operator, pages
from workers.ops.behind import THREAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock

Published = list[tuple[str, str, "UUID"]]


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture
def published() -> Published:
    """Runs of the timetable that workers were asked for."""
    return []


@pytest.fixture
def operator(
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
    published: Published,
) -> Iterator[Operator]:
    with serving(sessions, clock, leaving, pages(sessions, clock, published)) as caller:
        yield Operator(caller, application)
    rest()


def rest() -> None:
    """Wait for what still counts behind the overview, before its connections are closed."""
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join()
