from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.providers.stub import Reply, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with StubServer(Reply(200)) as server:
        yield server


@pytest.fixture
def closed() -> Iterator[StubServer]:
    """A server whose port refuses lines until it is told to listen."""
    with StubServer(Reply(200), listening=False) as server:
        yield server
