"""Unsubscribe links over real HTTP: looking changes nothing, a click does, a forged or replayed one not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from services.notifications.catalogue import Category
from services.notifications.unsubscribe import ForgedError, Unsubscribe
from tests.notifications.reading import Page
from tests.workers.ingress_server import FORM, PUBLIC_URL, serving
from workers.ingress.pages_unsubscribe import UnsubscribePage

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from uuid import UUID

    import urllib3
    from sqlalchemy.orm import Session

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller

KEY = b"a key of the tests' own"
CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@dataclass
class Reader:
    """A person with a message in front of them."""

    caller: Caller
    unsubscribe: Unsubscribe
    application: sessionmaker[Session]
    clock: Clock
    user_id: UUID

    def link(self, category: str = "REMINDER") -> str:
        """The path of a link in a message that is sent now."""
        return self.unsubscribe.url(self.user_id, category).removeprefix(PUBLIC_URL)

    def get(self, path: str, method: str = "GET") -> urllib3.BaseHTTPResponse:
        return self.caller.ask(path, method)

    def click(self, path: str, body: bytes = CLICK, kind: str = FORM) -> urllib3.BaseHTTPResponse:
        return self.caller.post(path, body, {"Content-Type": kind})

    def button(self, path: str) -> bytes:
        """The form of the page as a browser would send it."""
        page = self.get(path).data.decode()
        seen, want = re.findall(r'value="([^"]*)"', page)
        return f"seen={seen.replace('+', '%2B')}&want={want}".encode()

    def rows(self, table: str = "preferences") -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(f"select * from fleet.{table}")))

    @property
    def opted_out(self) -> list[str]:
        return [category for row in self.rows() for category in row.opted_out]


@pytest.fixture
def reader(
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
) -> Iterator[Reader]:
    unsubscribe = Unsubscribe(sessions, PUBLIC_URL, lambda: KEY, clock)
    page = UnsubscribePage(unsubscribe, "fr")
    with serving(sessions, clock, leaving, page.routes()) as caller:
        yield Reader(caller, unsubscribe, application, clock, uuid4())


def test_looking_changes_nothing_and_a_click_does(reader: Reader) -> None:
    path = reader.link()
    for method in ("GET", "HEAD", "GET"):
        assert reader.get(path, method).status == 200
    assert reader.rows() == []
    assert reader.rows("interventions") == []
    assert [reader.click(path).status for _ in range(2)] == [200, 200]
    assert reader.opted_out == ["REMINDER"]
    (done,) = reader.rows("interventions")
    assert (done.subject, done.action, done.who) == (reader.user_id, "preferences", "the person")
    assert done.details == {"opted_out": ["REMINDER"]}


def test_the_page_says_what_it_is_about_and_lets_nothing_else_in(reader: Reader) -> None:
    answer = reader.get(reader.link("DOSSIER"))
    page = answer.data.decode()
    assert "l’avancement de votre dossier" in page
    assert "Ne plus recevoir ces messages" in page
    assert "script" not in page
    assert Page(page.removeprefix("<!doctype html>")).problems == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store")
    with reader.application.begin() as session:
        session.execute(
            text("insert into fleet.preferences (user_id, locale) values (:id, 'en')"), {"id": reader.user_id}
        )
    assert "Stop these messages" in reader.get(reader.link()).data.decode()


def test_a_click_may_come_in_either_form(reader: Reader) -> None:
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--edge--\r\n'
    )
    assert reader.click(reader.link(), body, "multipart/form-data; boundary=edge").status == 200
    assert reader.opted_out == ["REMINDER"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", FORM, 400),
        (b"List-Unsubscribe=No", FORM, 400),
        (b"want=all&seen=nothing", FORM, 400),
        (b"{}", "application/json", 400),
        (b"--x", "multipart/form-data; boundary=edge", 400),
        (b"a=" + b"b" * 5000, FORM, 413),
    ],
)
def test_what_is_no_click_changes_nothing(reader: Reader, body: bytes, kind: str, status: int) -> None:
    assert reader.click(reader.link(), body, kind).status == status
    assert reader.rows() == []


def test_a_forged_link_changes_nothing(reader: Reader) -> None:
    path = reader.link()
    token = path.removeprefix("/u/")
    stranger = Unsubscribe(reader.unsubscribe.sessions, PUBLIC_URL, lambda: b"another key", reader.clock)
    forged = [
        stranger.url(reader.user_id, "REMINDER").removeprefix(PUBLIC_URL),
        path[:-1],
        f"{path}A",
        "/u/x",
    ]
    forged += [
        f"/u/{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}" for at in range(len(token))
    ]
    for each in forged[:6]:
        assert (reader.get(each).status, reader.click(each).status) == (404, 404)
    for each in forged:
        with pytest.raises(ForgedError):
            reader.unsubscribe.one_click(each.removeprefix("/u/"))
    assert reader.click("/u/%C3%A9%00").status == 404
    assert reader.rows() == []


def test_a_click_that_is_replayed_after_the_person_came_back_changes_nothing(reader: Reader) -> None:
    old = reader.link()
    said_no = reader.button(old)
    assert reader.click(old, said_no).status == 200
    assert reader.opted_out == ["REMINDER"]
    assert reader.click(old, reader.button(old)).status == 200  # back again
    assert reader.opted_out == []
    reader.clock.forward(3600)
    for body in (CLICK, said_no):
        answer = reader.click(old, body)
        assert answer.status == 409
        assert "Rien n’a été modifié" in answer.data.decode()
    assert reader.opted_out == []
    assert len(reader.rows("interventions")) == 2
    assert reader.click(old, reader.button(old)).status == 200  # by who has looked, an old link still works
    assert reader.opted_out == ["REMINDER"]


def test_a_newer_message_can_be_unsubscribed_from_with_one_click(reader: Reader) -> None:
    old = reader.link()
    reader.click(old)
    reader.click(old, reader.button(old))
    reader.clock.forward(3600)
    assert reader.click(reader.link()).status == 200
    assert reader.opted_out == ["REMINDER"]


def test_each_category_is_a_choice_of_its_own(reader: Reader) -> None:
    reader.click(reader.link("DOSSIER"))
    reader.click(reader.link("REMINDER"))
    assert reader.opted_out == ["DOSSIER", "REMINDER"]
    assert {reader.unsubscribe.look(reader.link(each)[3:]).category for each in Category} == set(Category)


def test_while_the_database_is_away_a_link_asks_to_come_again(
    clock: Clock, leaving: list[threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    unsubscribe = Unsubscribe(sessionmaker(engine), PUBLIC_URL, lambda: KEY, clock)
    path = unsubscribe.url(uuid4(), "REMINDER").removeprefix(PUBLIC_URL)
    page = UnsubscribePage(unsubscribe, "fr")
    with serving(unsubscribe.sessions, clock, leaving, page.routes()) as caller:
        assert caller.ask(path).status == 503
        assert caller.post(path, CLICK, {"Content-Type": FORM}).status == 503
    assert "can't be answered (OperationalError)" in caplog.text
    assert path.removeprefix("/u/") not in caplog.text
    engine.dispose()


def test_a_link_says_nothing_in_clear(reader: Reader) -> None:
    path = reader.link()
    assert str(reader.user_id) not in path
    assert len(path) == len("/u/") + 59
