from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.providers.contract import assert_described
from tests.providers.stub import Reply, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with StubServer(Reply(200)) as server:
        yield server


@pytest.fixture
def described(stub: StubServer) -> Iterator[None]:
    """Whatever an adapter asked of the server must be what its provider describes."""
    yield
    for request in stub.requests:
        if "authorization" in request.headers:
            assert_described(request)


@pytest.fixture
def closed() -> Iterator[StubServer]:
    """A server whose port refuses lines until it is told to listen."""
    with StubServer(Reply(200), listening=False) as server:
        yield server
