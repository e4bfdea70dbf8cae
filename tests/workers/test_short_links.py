"""Short links over real HTTP: people are led to the platform's site, and nobody anywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from services.notifications.links import Links
from tests.notifications.pipeline import APP_URL, Clock
from tests.workers.ingress_server import PUBLIC_URL, serving
from workers.ingress.links import ShortLinks

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tests.databases import Database
    from tests.workers.ingress_server import Caller

TARGET = f"{APP_URL}/dossiers/1?tab=documents&page=1#top"
BROWSER = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile"
)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def links(module_database: Database, clock: Clock) -> Iterator[Links]:
    engine = make_engine(module_database.url)
    yield Links(sessionmaker(engine), PUBLIC_URL, APP_URL, clock, timedelta(days=90))
    engine.dispose()


@contextmanager
def served(links: Links, clock: Clock) -> Iterator[Caller]:
    leaving: list[threading.Thread] = []
    with serving(links.sessions, clock, leaving, ShortLinks(links).routes()) as caller:
        yield caller
    leaving[0].join()


@pytest.fixture(scope="module")
def caller(links: Links, clock: Clock) -> Iterator[Caller]:
    with served(links, clock) as caller:
        yield caller


@pytest.fixture
def path(links: Links) -> str:
    """A new short link's, below the public URL."""
    return links.shorten(TARGET, uuid4(), uuid4()).removeprefix(PUBLIC_URL)


def clicks(links: Links, path: str) -> tuple[int, datetime | None, datetime | None]:
    query = "select clicks, first_clicked_at, last_clicked_at from fleet.links where token = :token"
    with links.sessions() as session:
        count, first, last = session.execute(text(query), {"token": path.removeprefix("/l/")}).one()
        return count, first, last


class Words(HTMLParser):
    """What a page says and where it leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: set[str | None] = set()
        self.languages: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a":
            self.links.add(named["href"])
        if "lang" in named:
            self.languages.append(named["lang"])


def test_a_person_is_led_on_and_counted(caller: Caller, links: Links, clock: Clock, path: str) -> None:
    first = clock.now
    answer = caller.ask(path, headers={"User-Agent": BROWSER})
    assert (answer.status, answer.headers["Location"], answer.data) == (302, TARGET, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers
    clock.forward(60)
    caller.ask(path, headers={"User-Agent": BROWSER})
    assert clicks(links, path) == (2, first, clock.now)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
        ("GET", {"X-Purpose": "preview"}),
        ("GET", {"User-Agent": "WhatsApp/2.24.1 A"}),
        ("GET", {"User-Agent": "facebookexternalhit/1.1 Facebot Twitterbot/1.0"}),
        ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}),
    ],
)
def test_who_only_looks_is_led_on_and_not_counted(
    caller: Caller, links: Links, path: str, method: str, headers: Mapping[str, str]
) -> None:
    answer = caller.ask(path, method, {"User-Agent": BROWSER} | dict(headers))
    assert (answer.status, answer.headers["Location"]) == (302, TARGET)
    assert clicks(links, path) == (0, None, None)


def test_what_has_expired_leads_nowhere_and_says_so_in_both_languages(
    caller: Caller, links: Links, clock: Clock, path: str
) -> None:
    clock.forward(90 * 24 * 3600 - 1)
    assert caller.ask(path, "HEAD").status == 302
    clock.forward(1)
    answer = caller.ask(path)
    assert (answer.status, answer.headers["Cache-Control"]) == (410, "no-store")
    assert "Location" not in answer.headers
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = answer.data.decode()
    assert (Words(page).links, Words(page).languages) == ({APP_URL}, ["fr", "en"])
    assert "a expiré" in page
    assert "has expired" in page
    assert TARGET not in page
    assert clicks(links, path)[0] == 0


@pytest.mark.parametrize(
    "token",
    [
        "AAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAA%00",
        "AAAAAAAAAAAAAAAA%0A",
        "%C3%A9" * 16,
        "a" * 8000,
        "'; drop table--",
        "https:%2F%2Fevil.example",
    ],
)
def test_what_nobody_made_leads_nowhere(caller: Caller, path: str, token: str) -> None:
    for unknown in (f"/l/{token}", path.lower().swapcase(), f"{path}x", path[:-1]):
        answer = caller.ask(unknown.replace(" ", "%20"))
        assert answer.status == 404
        assert "Location" not in answer.headers
        assert token[:12] not in answer.data.decode()


def test_nobody_is_led_off_the_platforms_site_whatever_the_request_or_the_table_says(
    caller: Caller, links: Links, path: str
) -> None:
    answer = caller.ask(
        f"{path}?target=https://evil.example&next=//evil.example", headers={"Host": "evil.example"}
    )
    assert answer.headers["Location"] == TARGET
    with links.sessions.begin() as session:
        session.execute(text("update fleet.links set target = 'https://evil.example/'"))
    assert caller.ask(path).status == 404


def test_there_is_nothing_else_to_be_done_with_a_link(caller: Caller, links: Links, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert caller.ask(path, method).status == 405
    assert caller.ask(f"{path}/").status == 404
    assert caller.ask("/l/").status == 404
    assert clicks(links, path)[0] == 0


def test_while_the_database_is_away_people_are_told_to_come_again(
    links: Links, clock: Clock, path: str
) -> None:
    engine = make_engine("postgresql://fleet:made-up@127.0.0.1:1/fleet")
    with served(replace(links, sessions=sessionmaker(engine)), clock) as caller:
        answer = caller.ask(path)
    engine.dispose()
    assert answer.status == 503
    assert Words(answer.data.decode()).links == {APP_URL}
