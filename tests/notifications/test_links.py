"""Short links: one per message and target, unguessable, and only to the platform's site."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from services.notifications import links as service
from services.notifications.links import REMEMBERED, Links, Lost
from tests.notifications.pipeline import APP_URL, Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.databases import Database

PUBLIC_URL = "https://partners.example.com/fleet"
LIFETIME = timedelta(days=90)
TARGET = f"{APP_URL}/dossiers/1"


@pytest.fixture(scope="module")
def shared(module_database: Database) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(module_database.url)
    yield sessionmaker(engine)
    engine.dispose()


@pytest.fixture
def links(shared: sessionmaker[Session]) -> Links:
    with shared.begin() as session:
        session.execute(text("delete from fleet.links"))
    return Links(shared, PUBLIC_URL, APP_URL, Clock(), LIFETIME)


def token(link: str) -> str:
    return link.removeprefix(f"{PUBLIC_URL}/l/")


def count(links: Links) -> int:
    with links.sessions() as session:
        return session.scalar(text("select count(*) from fleet.links")) or 0


def forward(links: Links, time: timedelta) -> Links:
    now = links.clock() + time
    return replace(links, clock=lambda: now)


def test_a_link_is_short_and_nobody_guesses_it(links: Links) -> None:
    made = [links.shorten(TARGET, uuid4(), uuid4()) for _ in range(50)]
    assert len(set(made)) == 50
    for link in made:
        assert re.fullmatch(r"https://partners\.example\.com/fleet/l/[A-Za-z0-9_-]{16}", link)  # 96 bits
        assert links.follow(token(link), count=False) == TARGET


def test_a_message_that_is_sent_again_carries_the_same_link_and_it_lasts_as_long_as_a_new_one(
    links: Links,
) -> None:
    notification, person = uuid4(), uuid4()
    link = links.shorten(TARGET, notification, person)
    later = forward(links, timedelta(days=60))
    assert later.shorten(TARGET, notification, person) == link
    assert forward(later, LIFETIME - timedelta(seconds=1)).follow(token(link), count=False) == TARGET
    # Whose clock is behind takes nothing of it away.
    assert links.shorten(TARGET, notification, person) == link
    assert forward(later, LIFETIME - timedelta(seconds=1)).follow(token(link), count=False) == TARGET
    assert links.shorten(f"{TARGET}?x", notification, person) != link
    assert links.shorten(TARGET, uuid4(), person) != link


def test_at_the_same_time_there_is_one_link(links: Links) -> None:
    notification, person = uuid4(), uuid4()
    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda _: links.shorten(TARGET, notification, person), range(16)))
    assert len(made) == count(links) == 1


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "https://app.example.comevil.example/",
        "https://app.example.com@evil.example/",
        "https://me@app.example.com/",
        "https://evil.example\\@app.example.com/",
        "https://app.example.com\\.evil.example/",
        "https://app.example.com:8443/",
        "https://app.example.com:99999/",
        "https://app.example.com:x/",
        "http://app.example.com/",
        "//app.example.com/",
        "/dossiers/1",
        "https:app.example.com",
        "https:///app.example.com",
        "https://[app.example.com]/",
        "https://app.example.com/a b",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        "https://app.example.com/é",
        "javascript:alert(1)//https://app.example.com/",
        " https://app.example.com/",
        "https://",
        "",
    ],
)
def test_what_is_not_surely_on_the_platforms_site_is_never_shortened_and_never_led_to(
    links: Links, target: str
) -> None:
    assert links.shorten(target, uuid4(), uuid4()) == target
    assert count(links) == 0
    link = links.shorten(TARGET, uuid4(), uuid4())
    with links.sessions.begin() as session:
        session.execute(text("update fleet.links set target = :target"), {"target": target})
    assert links.follow(token(link), count=True) is Lost.UNKNOWN


@pytest.mark.parametrize(
    "target",
    [
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com:443/a?b=//evil.example#c",
        "https://APP.example.com/a%20b@c;d",
        "https://app.example.com?x",
    ],
)
def test_what_is_on_the_platforms_site_is(links: Links, target: str) -> None:
    assert links.follow(token(links.shorten(target, uuid4(), uuid4())), count=False) == target


def test_an_address_with_a_port_is_a_site_of_its_own(links: Links) -> None:
    local = replace(links, app_url="http://localhost:3000/")
    assert local.shorten("http://localhost:3000/a", uuid4(), uuid4()).startswith(PUBLIC_URL)
    assert local.shorten("http://localhost/a", uuid4(), uuid4()) == "http://localhost/a"


def test_a_page_of_the_fleets_own_needs_no_link_to_it(links: Links) -> None:
    beside = replace(links, app_url="https://partners.example.com")
    for own in (
        f"{PUBLIC_URL}/u/abc",
        beside.shorten("https://partners.example.com/fleets", uuid4(), uuid4()),
    ):
        assert beside.shorten(own, uuid4(), uuid4()) == own
    assert count(links) == 1


def test_a_link_expires_and_is_forgotten_later(links: Links) -> None:
    link = token(links.shorten(TARGET, uuid4(), uuid4()))
    links.shorten(TARGET, uuid4(), uuid4())
    assert forward(links, LIFETIME - timedelta(seconds=1)).follow(link, count=False) == TARGET
    expired = forward(links, LIFETIME)
    assert expired.follow(link, count=True) is Lost.EXPIRED
    with links.sessions.begin() as session:
        assert service.expire(session, expired.clock() + REMEMBERED - timedelta(seconds=1), 10) == 0
        assert service.expire(session, expired.clock() + REMEMBERED, 1) == 1
        assert service.expire(session, expired.clock() + REMEMBERED, 10) == 1
        assert service.expire(session, expired.clock() + REMEMBERED, 10) == 0
    assert expired.follow(link, count=True) is Lost.UNKNOWN


def test_each_time_that_somebody_follows_a_link_counts(links: Links) -> None:
    link = token(links.shorten(TARGET, uuid4(), uuid4()))
    links.follow(link, count=False)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: links.follow(link, count=True), range(16)))
    later = forward(links, timedelta(hours=1))
    later.follow(link, count=True)
    with links.sessions() as session:
        row = session.execute(
            text("select clicks, first_clicked_at, last_clicked_at, user_id is null from fleet.links")
        ).one()
    assert tuple(row) == (17, links.clock(), later.clock(), False)


@pytest.mark.parametrize(
    "token", ["", "A" * 16, "A" * 15, "A" * 17, "A" * 15 + "\n", "A" * 15 + "\0", "é" * 16]
)
def test_what_nobody_made_is_unknown(links: Links, token: str) -> None:
    assert links.follow(token, count=True) is Lost.UNKNOWN


def test_a_message_goes_with_a_long_link_while_the_database_takes_none(
    links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine("postgresql://fleet:made-up@127.0.0.1:1/fleet")
    away = replace(links, sessions=sessionmaker(engine))
    assert away.shorten(TARGET, uuid4(), uuid4()) == TARGET
    assert "goes with a long link" in caplog.text
    assert TARGET not in caplog.text
    engine.dispose()
