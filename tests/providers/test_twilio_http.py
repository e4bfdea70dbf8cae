from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from providers.transport import PooledTransport
from providers.twilio_http import PooledHttp, Refusal
from tests.providers.adapters import no

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import StubServer

PARTS: dict[str, Any] = {"params": {"To": "+33"}, "data": None, "headers": {}, "auth": ("user", "password")}


@pytest.fixture
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=1)
    yield lines
    lines.close()


def test_credentials_go_to_the_base_url_and_nowhere_else(
    stub: StubServer, transport: PooledTransport
) -> None:
    http = PooledHttp(f"{stub.url}/below/", transport)
    http.request("GET", "https://elsewhere.example.com/2010-04-01/Messages.json?Page=1", **PARTS)
    (request,) = stub.requests
    assert request.path == "/below/2010-04-01/Messages.json?Page=1&To=%2B33"
    assert "authorization" in request.headers


def test_a_refusal_keeps_the_headers(stub: StubServer, transport: PooledTransport) -> None:
    stub.script.append(no(429, 20429, "Too Many Requests"))
    with pytest.raises(Refusal) as caught:
        PooledHttp(stub.url, transport).request("GET", "https://api.twilio.com/x", **PARTS)
    assert (caught.value.status, caught.value.code, caught.value.said) == (429, "20429", "Too Many Requests")
    assert caught.value.headers["content-type"] == "application/json"
