"""What every adapter keeps to, whoever its provider is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from providers.errors import ProviderError, RateLimited, Transient
from providers.transport import PooledTransport
from tests.providers.adapters import CASES, AdapterCase, Kind
from tests.providers.stub import Drip, Drop, Hang, Raw, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import Answer, StubServer

pytestmark = pytest.mark.usefixtures("described")

Send = Callable[[], Any]

KEY = "SG.first"
NOW = 1_790_000_000.0


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> AdapterCase:
    chosen: AdapterCase = request.param
    return chosen


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=16)
    yield lines
    lines.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[PooledTransport]:
    """Little patience, and one line for all."""
    lines = PooledTransport(connect_timeout=2, read_timeout=0.2, connections=1)
    yield lines
    lines.close()


@pytest.fixture
def send(case: AdapterCase, stub: StubServer, transport: PooledTransport) -> Send:
    adapter = case.make(stub.url, KEY, transport, lambda: NOW)
    return lambda: case.send(adapter, uuid4())


def test_accepted(case: AdapterCase, stub: StubServer, transport: PooledTransport) -> None:
    stub.script.append(case.accepted("made-up-1"))
    token = uuid4()
    receipt = case.send(case.make(stub.url, KEY, transport, lambda: NOW), token)
    assert receipt.message_id == "made-up-1"
    assert case.recipient not in str(receipt)
    (request,) = stub.requests
    assert case.key_in(request) == KEY
    assert case.token_in(request) == str(token)


SAID = [(case, kind) for case in CASES for kind in case.answers]


@pytest.mark.parametrize(
    ("case", "kind"), SAID, ids=[f"{case.name}-{kind.__name__.lower()}" for case, kind in SAID]
)
def test_told_why(case: AdapterCase, kind: Kind, stub: StubServer, send: Send) -> None:
    stub.script.append(case.answers[kind])
    with pytest.raises(ProviderError) as caught:
        send()
    assert type(caught.value) is kind
    assert caught.value.known
    assert caught.value.detail != "no explanation"
    assert case.recipient.removeprefix("+") not in str(caught.value)
    assert len(stub.requests) == 1


STATUSES = [(case, status) for case in CASES for status in case.statuses]


@pytest.mark.parametrize(
    ("case", "status"), STATUSES, ids=[f"{case.name}-{status}" for case, status in STATUSES]
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"errors": 7}',
        b'{"errors": [null]}',
        b'{"code": true, "message": null, "status": []}',
        b'{"type": 1, "title": 2, "status": 3, "code": "x"}',
        b"[" * 100_000,
    ],
)
def test_statuses(case: AdapterCase, stub: StubServer, send: Send, status: int, body: bytes) -> None:
    stub.script.append(Reply(status, {"Location": f"{stub.url}/elsewhere"}, body))
    with pytest.raises(ProviderError) as caught:
        send()
    assert type(caught.value) is case.statuses[status]
    assert caught.value.code == f"http_{status}"
    assert caught.value.known == (status not in {301, 307, 418, 599}), "no line of the table names these"
    assert len(stub.requests) == 1, "neither followed nor repeated"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": formatdate(NOW + 9, usegmt=True)}, 9),
        ({"X-RateLimit-Reset": str(int(NOW) + 11)}, 11),
        ({"retry-after": "7", "x-ratelimit-reset": str(int(NOW) + 11)}, 7),
        ({"Retry-After": "soon", "X-RateLimit-Reset": str(int(NOW) + 11)}, 11),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": formatdate(NOW - 100, usegmt=True)}, 1),
        ({"X-RateLimit-Reset": str(int(NOW) - 100)}, 1),
        ({"Retry-After": "999999999"}, 3600),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({}, None),
    ],
)
def test_rate_limited(
    case: AdapterCase, stub: StubServer, send: Send, headers: dict[str, str], seconds: float | None
) -> None:
    stub.script.append(Reply(429, headers))
    with pytest.raises(RateLimited) as caught:
        send()
    assert caught.value.retry_after == (case.pause if seconds is None else seconds)
    assert len(stub.requests) == 1


UNKNOWN: dict[str, Answer] = {
    "dropped before the body was read": Drop(body_read=False),
    "dropped after acceptance": Drop(body_read=True),
    "closed without a word": Raw(b""),
    "truncated head": Raw(b"HTTP/1.1 202 Accepted\r\nX-Messa"),
    "truncated body": Raw(b"HTTP/1.1 202 Accepted\r\nX-Message-Id: cut\r\nContent-Length: 9\r\n\r\nfour"),
    "truncated refusal": Raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nfour"),
    "truncated chunks": Raw(
        b"HTTP/1.1 202 Accepted\r\nX-Message-Id: cut\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfo"
    ),
    "garbage": Raw(b"\x00\xff\xfe no protocol at all\r\n\r\n"),
    "garbled status": Raw(b"HTTP/1.1 2O2 Accepted\r\n\r\n"),
    "garbled chunks": Raw(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "no id": Reply(202),
    "empty id": Reply(202, {"X-Message-Id": " "}),
    "a page of someone else's": Reply(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
    "early word": Raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_unknown_outcome_on_a_fresh_line(
    case: AdapterCase, stub: StubServer, send: Send, answer: Answer
) -> None:
    stub.script.append(answer)
    with pytest.raises(case.lost):
        send()
    assert stub.lines == 1, "not sent again"


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_unknown_outcome_on_a_kept_line(
    case: AdapterCase, stub: StubServer, send: Send, answer: Answer
) -> None:
    stub.script.extend([case.accepted("first"), answer, case.accepted("third")])
    send()
    with pytest.raises(case.lost):
        send()
    assert stub.lines == 1, "not sent again"
    assert send().message_id == "third", "the next one finds a line"


@pytest.mark.parametrize("answer", [Hang(), Drip()], ids=["silent", "dripping"])
def test_slow(case: AdapterCase, stub: StubServer, hasty: PooledTransport, answer: Answer) -> None:
    stub.script.extend([answer, case.accepted("next")])
    adapter = case.make(stub.url, KEY, hasty, lambda: NOW)
    with pytest.raises(case.lost, match="read_timeout"):
        case.send(adapter, uuid4())
    assert len(stub.requests) == 1
    assert case.send(adapter, uuid4()).message_id == "next", "the only line is not lost"


def test_nobody_listens(case: AdapterCase, closed: StubServer, transport: PooledTransport) -> None:
    with pytest.raises(Transient, match=r"connect_error.*refused"):
        case.send(case.make(closed.url, KEY, transport, lambda: NOW), uuid4())


def test_name_does_not_resolve(case: AdapterCase, transport: PooledTransport) -> None:
    adapter = case.make("http://nowhere.invalid", KEY, transport, lambda: NOW)
    with pytest.raises(Transient, match="connect_error"):
        case.send(adapter, uuid4())


def test_lines_are_reused(case: AdapterCase, stub: StubServer, transport: PooledTransport) -> None:
    stub.default = case.accepted("made-up")
    adapter = case.make(stub.url, KEY, transport, lambda: NOW)
    tokens = [uuid4() for _ in range(100)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda token: case.send(adapter, token), tokens))
    assert sorted(case.token_in(request) for request in stub.requests) == sorted(map(str, tokens))
    assert stub.lines <= 16


def test_two_keys_at_once(case: AdapterCase, stub: StubServer, transport: PooledTransport) -> None:
    stub.default = case.accepted("made-up")
    sends = [(f"SG.key{number % 2}", uuid4()) for number in range(60)]
    adapters = {key: case.make(stub.url, key, transport, lambda: NOW) for key, _ in sends}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda send: case.send(adapters[send[0]], send[1]), sends))
    seen = {(case.key_in(request), case.token_in(request)) for request in stub.requests}
    assert seen == {(key, str(token)) for key, token in sends}


def test_headers_do_not_leak_between_calls(
    case: AdapterCase, stub: StubServer, hasty: PooledTransport
) -> None:
    stub.default = case.accepted("made-up")
    adapter, token = case.make(stub.url, KEY, hasty, lambda: NOW), uuid4()
    case.send(adapter, token)
    hasty.request("POST", stub.url, {"X-Once": "only"}, b"")
    stub.script.append(Reply(500))
    with suppress(ProviderError):
        case.send(adapter, token)
    case.send(adapter, token)
    first, once, *others = stub.requests
    assert once.headers["x-once"] == "only"
    assert all(other.headers == first.headers for other in others)
    assert stub.lines == 1
