from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import tenacity.nap

from providers import transport as module
from providers.errors import Ambiguous, Transient
from providers.transport import PooledTransport
from tests.providers.stub import Drop, Hang, Raw, Reply, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMPT = 0.1


@pytest.fixture
def lines() -> Iterator[PooledTransport]:
    made = PooledTransport(connect_timeout=2, read_timeout=5, connections=1)
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries to connect, noted in place of waited for."""
    noted: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=noted.append))
    return noted


def test_answer(stub: StubServer, lines: PooledTransport) -> None:
    stub.script.append(Reply(404, {"X-Some": "thing"}, b"body"))
    answer = lines.request("PUT", f"{stub.url}/path?q=1", {"Accept": "text/plain"}, b"sent")
    assert (answer.status, answer.headers["x-SOME"], answer.body) == (404, "thing", b"body")
    (request,) = stub.requests
    assert (request.method, request.path, request.body) == ("PUT", "/path?q=1", b"sent")
    assert request.headers["accept-encoding"] == "identity"


def test_tries_again_what_never_left(closed: StubServer, lines: PooledTransport, pauses: list[float]) -> None:
    with pytest.raises(Transient) as caught:
        lines.request("POST", closed.url, {}, b"")
    assert caught.value.code == "connect_error"
    assert len(pauses) == module.CONNECT_TRIES - 1
    assert all(module.CONNECT_PAUSE[0] <= pause <= module.CONNECT_PAUSE[1] for pause in pauses)


def test_gets_through_once_someone_listens(
    closed: StubServer, lines: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda _seconds: closed.listen()))
    assert lines.request("POST", closed.url, {}, b"").status == 200
    assert len(closed.requests) == 1


def test_a_line_that_breaks_in_the_tls_handshake_carried_nothing(
    stub: StubServer, lines: PooledTransport, pauses: list[float]
) -> None:
    with pytest.raises(Transient, match="connect_error"):
        lines.request("POST", stub.url.replace("http", "https"), {}, b"")
    assert stub.lines == module.CONNECT_TRIES == len(pauses) + 1
    assert not stub.requests


def test_a_tls_handshake_has_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lines = PooledTransport(connect_timeout=PROMPT, read_timeout=60, connections=1)
        with pytest.raises(Transient, match="connect_error"):
            lines.request("POST", f"https://127.0.0.1:{silent.getsockname()[1]}", {}, b"")


def test_no_line_comes_free(stub: StubServer) -> None:
    stub.script.append(Hang())
    lines = PooledTransport(connect_timeout=PROMPT, read_timeout=60, connections=1)
    with ThreadPoolExecutor(1) as other:
        stuck = other.submit(lines.request, "POST", stub.url, {}, b"")
        stub.wait_for_requests(1)
        with pytest.raises(Transient, match="no line came free"):
            lines.request("POST", stub.url, {}, b"")
        stub.end()
        with pytest.raises(Ambiguous):
            stuck.result()
    assert len(stub.requests) == 1


def test_a_line_left_idle_is_replaced(
    stub: StubServer, lines: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        lines.request("POST", stub.url, {}, b"")
    assert stub.lines == 1
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    lines.request("POST", stub.url, {}, b"")
    assert stub.lines == 2


def test_a_line_that_the_server_closed_while_idle_is_replaced(
    stub: StubServer, lines: PooledTransport
) -> None:
    stub.script.append(Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    lines.request("POST", stub.url, {}, b"")
    stub.wait_for_closed_line()
    assert lines.request("POST", stub.url, {}, b"").status == 200
    assert (stub.lines, len(stub.requests)) == (2, 2)


def test_a_line_with_an_answer_still_to_come_is_replaced(stub: StubServer, lines: PooledTransport) -> None:
    stub.script.append(Reply(103))
    assert lines.request("POST", stub.url, {}, b"").status == 103
    assert lines.request("POST", stub.url, {}, b"").status == 200
    assert stub.lines == 2


def test_a_body_is_read_up_to_the_bound(
    stub: StubServer, lines: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODY_BOUND", 1000)
    stub.script.append(Reply(500, {}, b"x" * 1_000_000))
    assert lines.request("POST", stub.url, {}, b"").body == b"x" * 1000
    assert lines.request("POST", stub.url, {}, b"").status == 200, "and the only line is not lost"
    assert stub.lines == 2, "but not used with the rest still in it"


def test_nothing_is_resent_even_when_the_method_would_allow_it(
    stub: StubServer, lines: PooledTransport
) -> None:
    stub.script.extend([Reply(200), Drop(body_read=True)])
    lines.request("GET", stub.url, {})
    with pytest.raises(Ambiguous, match="broken_answer"):
        lines.request("GET", stub.url, {})
    assert len(stub.requests) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-One", "a\r\nX-Two: b"),
        ("X-One", "a\r\n folded"),
        ("X-One", "a\n"),
        ("X-One", "a\0"),
        ("X-One", "\u2028"),
        ("X-One\r\nX-Two", "b"),
        ("X One", "b"),
        ("X-One:", "b"),
        ("", "b"),
    ],
)
def test_headers_cannot_be_injected(stub: StubServer, lines: PooledTransport, name: str, value: str) -> None:
    with pytest.raises(ValueError, match="does not allow"):
        lines.request("POST", stub.url, {name: value}, b"")
    assert stub.lines == 0


def test_an_address_cannot_inject_headers(stub: StubServer, lines: PooledTransport) -> None:
    lines.request("POST", f"{stub.url}/a\r\nX-Two: b", {}, b"")
    assert "x-two" not in stub.requests[0].headers
    with pytest.raises(ValueError, match="Method"):
        lines.request("POST / HTTP/1.1\r\nX-Two: b\r\n", stub.url, {}, b"")
