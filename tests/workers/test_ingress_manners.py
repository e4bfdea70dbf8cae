"""What the ingress does with those who are no providers, who dawdle, and when its database is away."""

from __future__ import annotations

import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from tests.waiting import wait_for
from tests.workers.ingress_server import FORM, SID, serving, stored
from workers.ingress import bodies
from workers.ingress import serving as server_manners

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller

WEBHOOKS = ["/webhooks/sendgrid", "/webhooks/twilio/status", "/webhooks/twilio/inbound"]
STATUS = {"MessageSid": SID, "MessageStatus": "sent"}


@pytest.fixture
def caller_without_database(clock: Clock, leaving: list[threading.Thread]) -> Iterator[Caller]:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with serving(sessionmaker(engine), clock, leaving) as caller:
        yield caller
    engine.dispose()


def test_webhooks_take_posts_only(caller: Caller) -> None:
    for path in WEBHOOKS:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            answer = caller.ask(path, method)
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_there_is_nothing_else_and_nobody_is_sent_elsewhere(caller: Caller) -> None:
    paths = ["/", "/webhooks", "/webhooks/", *(f"{path}/" for path in WEBHOOKS), "/webhooks/twilio", "/docs"]
    assert {caller.ask(path).status for path in paths} == {404}
    assert {caller.post(path, b"").status for path in paths} == {404}


def test_it_does_not_say_what_it_is_made_of(caller: Caller) -> None:
    for answer in (caller.ask("/live"), caller.ask("/nothing"), caller.post("/webhooks/sendgrid", b"")):
        assert "Server" not in answer.headers


def test_heads_of_what_is_told_are_told(caller: Caller) -> None:
    for path in ("/live", "/health", "/metrics"):
        answer = caller.ask(path, "HEAD")
        assert (answer.status, answer.data) == (200, b"")


def raw(caller: Caller, sent: bytes) -> socket.socket:
    line = socket.create_connection(caller.address, timeout=10)
    line.sendall(sent)
    return line


def head(path: str, length: int) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {FORM}", f"Content-Length: {length}"]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def hung_up(line: socket.socket) -> bool:
    """Whether the other side ends the connection, after whatever it says before."""
    try:
        while line.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_an_announced_flood_is_refused_at_once_and_its_line_cut(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_manners, "LINGER_SECONDS", 0.05)
    for path in WEBHOOKS:
        with raw(caller, head(path, 10**12)) as line:
            assert line.recv(4096).startswith(b"HTTP/1.1 413 ")
            assert hung_up(line)


def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(
    caller: Caller, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.05)
    for path in WEBHOOKS:
        with raw(caller, head(path, 100) + b"MessageSid=") as line:
            assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert stored(sessions) == {}


def test_a_body_that_is_cut_off_is_not_taken(
    caller: Caller, sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    raw(caller, head("/webhooks/twilio/status", 100) + b"MessageSid=").close()
    cut = 'fleet_callback_posts_refused_total{provider="twilio",reason="cut"}'
    assert wait_for(lambda: caller.metric(cut)) == 1
    assert stored(sessions) == {}
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("begun", [b"", b"POST /webhooks/sendgrid HTTP/1.1\r\nX-A: "], ids=["silent", "head"])
def test_a_head_that_does_not_come_is_not_waited_for(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(server_manners, "HEAD_SECONDS", 0.05)
    with raw(caller, begun) as line:
        assert hung_up(line)


def test_a_head_without_end_is_not_taken(caller: Caller) -> None:
    with raw(caller, b"GET /live HTTP/1.1\r\nX-A: ") as line:
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 - one of many sends fails
            for _ in range(10_000):
                line.sendall(b"a" * 8192)
        assert caller.ask("/live").status == 200


def test_a_line_that_is_kept_serves_many(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_manners, "HEAD_SECONDS", 0.3)
    with closing(HTTPConnection(*caller.address)) as line:
        for _ in range(3):
            line.request("GET", "/live")
            assert line.getresponse().read() == b"ok"


def test_without_its_database_providers_are_asked_to_come_again_and_it_is_said_once(
    caller_without_database: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caller = caller_without_database
    path = "/webhooks/twilio/status"
    assert [caller.post_form(path, STATUS).status for _ in range(3)] == [503] * 3
    assert [caller.post_events({"sg_event_id": "one"}) for _ in range(3)] == [503] * 3
    told = [r for r in caplog.records if "can't be stored" in r.getMessage()]
    assert len(told) == 1
    assert "Traceback" not in caplog.text
    assert caller.post(path, urlencode(STATUS).encode(), {"Content-Type": FORM}).status == 403
    refused = 'fleet_callback_posts_refused_total{provider="%s",reason="not_stored"}'
    assert caller.metric(refused % "twilio") == 3
    assert caller.metric(refused % "sendgrid") == 3


def test_without_its_database_it_is_alive_and_not_well(caller_without_database: Caller) -> None:
    caller = caller_without_database
    assert caller.ask("/live").status == 200
    answer = caller.ask("/health")
    assert (answer.status, answer.json()) == (503, {"status": "away", "queues": {}})
    assert caller.ask("/metrics").status == 200
    assert caller.metric("fleet_database_up") == 0
