"""Who gets in: by password alone, for half a day, from our own pages, and not by guessing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.workers.ingress_server import serving
from tests.workers.operators import NAME, PASSWORD, USER, Operator, pages, settings
from tests.workers.ops_desk import leaving, operator, published
from workers.ops.app import make_operators_pages
from workers.ops.doors import local
from workers.ops.sign_in import FREE_TRIES, LONGEST_WAIT, Patience, Seal

if TYPE_CHECKING:
    import threading

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock

__all__ = ["leaving", "operator", "published"]  # fixtures

PAGES = (
    "/",
    "/overview.json",
    "/lists/tries",
    "/schedule",
    "/search?id=x",
    "/story/x",
    "/do/pause?channel=SMS",
)


def test_nothing_is_seen_without_signing_in(operator: Operator) -> None:
    for path in PAGES:
        answer = operator.get(path)
        assert answer.status == (401 if path.endswith(".json") else 303), path
        assert "sign-in" in (answer.headers.get("Location") or "sign-in")
    assert operator.post("/do/pause", {"channel": "SMS", "why": "x"}).status == 401
    assert operator.rows("select * from fleet.channels") == []
    assert operator.sign_in().status == 303
    for path in PAGES[:4]:
        assert operator.get(path).status == 200, path


def test_the_session_is_kept_from_scripts_and_other_sites_and_ends(operator: Operator, clock: Clock) -> None:
    cookie = operator.sign_in().headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert NAME in operator.read("/")
    clock.forward(12 * 3600 - 1)
    assert operator.get("/").status == 200
    clock.forward(2)
    assert operator.get("/").status == 303


def test_over_https_the_session_is_for_https_alone(
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
) -> None:
    with serving(sessions, clock, leaving, pages(sessions, clock, public_url=_https())) as caller:
        cookie = Operator(caller, application).sign_in().headers["Set-Cookie"]
    assert cookie.startswith("__Host-fleet-ops=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))


def _https() -> object:
    return type(settings().public_url)("https://partners.example.com/fleet")


def test_signing_out_forgets_the_session(operator: Operator) -> None:
    operator.sign_in()
    assert operator.post("/sign-out", {}, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert operator.get("/").status == 200
    assert operator.post("/sign-out", {}).status == 303
    assert operator.get("/").status == 303


@pytest.mark.parametrize(
    ("user", "password", "name", "status"),
    [
        (USER, "wrong", NAME, 403),
        ("root", PASSWORD, NAME, 403),
        ("", "", "", 403),
        (USER, PASSWORD, "", 400),
        (USER, PASSWORD, " \t ", 400),
        (USER, PASSWORD, "N" * 81, 400),
        (USER, PASSWORD, "N\x00", 400),
        (USER, f" {PASSWORD}  é", NAME, 403),
    ],
)
def test_what_does_not_get_in(operator: Operator, user: str, password: str, name: str, status: int) -> None:
    answer = operator.sign_in(password, name, user)
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers
    assert operator.get("/").status == 303


def test_guessing_gets_slower_and_then_even_the_right_password_waits(operator: Operator) -> None:
    for _ in range(FREE_TRIES + 1):
        assert operator.sign_in("wrong").status == 403
    refused = operator.sign_in()
    assert (refused.status, int(refused.headers["Retry-After"]) <= 2) == (429, True)
    assert "Too many wrong passwords" in refused.data.decode()


def test_patience_grows_ends_and_is_bounded() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    waits = []
    for _ in range(20):
        patience.failed("192.0.2.1")
        waits.append(patience.wait("192.0.2.1"))
    assert waits[:6] == [0, 0, 0, 2, 4, 8]
    assert waits[-1] == LONGEST_WAIT
    assert patience.wait("192.0.2.2") == 0
    now[0] += LONGEST_WAIT
    assert patience.wait("192.0.2.1") == 0
    now[0] += LONGEST_WAIT + 1
    patience.failed("192.0.2.1")
    assert patience.wait("192.0.2.1") == 0
    for _ in range(FREE_TRIES + 1):
        patience.failed("2001:db8::1")
    assert patience.wait("2001:db8::ffff:2") > 0
    assert patience.wait("2001:db8:0:1::1") == 0
    for number in range(20_000):
        patience.failed(f"10.0.{number >> 8}.{number & 255}")
    assert len(patience._tries) == 10_000


def test_a_session_is_only_read_as_it_was_made(operator: Operator, clock: Clock) -> None:
    operator.sign_in()
    ours = operator.cookies["fleet-ops"]
    told, _, signature = ours.partition(".")
    longer = base64.urlsafe_b64encode(json.dumps([NAME, 4_000_000_000]).encode()).decode()
    stranger = Seal(USER, PASSWORD, lambda: b"another installation's", clock).session(NAME)
    for forged in ("", ".", "x.y", told, f"{longer}.{signature}", f"{told}.{'0' * 64}", f"{ours}0", stranger):
        operator.cookies["fleet-ops"] = forged
        assert operator.get("/").status == 303, forged
    operator.cookies["fleet-ops"] = ours
    assert operator.get("/").status == 200


def test_another_password_ends_all_sessions(clock: Clock) -> None:
    before = Seal(USER, "old", lambda: b"key", clock)
    after = Seal(USER, "new", lambda: b"key", clock)
    assert before.read(before.session(NAME)) == NAME
    assert after.read(before.session(NAME)) is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
def test_a_form_of_another_site_does_nothing(
    operator: Operator, headers: dict[str, str], status: int
) -> None:
    operator.sign_in()
    assert operator.post("/do/pause", {"channel": "SMS", "why": "x"}, headers).status == status
    assert len(operator.rows("select * from fleet.channels")) == (status == 303)


def test_browsers_without_that_header_are_known_by_the_origin(operator: Operator) -> None:
    operator.sign_in()
    own = operator.caller.url
    for origin, status in (("https://evil.example.com", 403), ("null", 403), (None, 403), (own, 303)):
        headers = operator._headers() | ({"Origin": origin} if origin else {})
        headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        answer = operator.caller.post("/ops/do/pause", b"channel=SMS&why=x", headers)
        assert answer.status == status, origin


def test_one_is_led_back_to_where_one_wanted_to_go_and_nowhere_else(operator: Operator) -> None:
    wanted = operator.get("/lists/tries?channel=SMS").headers["Location"]
    assert wanted == "../sign-in?next=lists/tries%3Fchannel%3DSMS"
    answer = operator.post(
        f"/sign-in?next={quote('lists/tries?channel=SMS')}",
        {"user": USER, "password": PASSWORD, "name": NAME},
    )
    assert answer.headers["Location"] == "lists/tries?channel=SMS"
    outside = ("//evil.example.com", "https://evil.example.com", "/x", "\\\\evil", "javascript:x")
    assert [local(each) for each in (*outside, "../x", "a/../../x", "a\nb")] == [""] * 8


def test_every_answer_is_closed_to_what_is_not_ours(operator: Operator) -> None:
    operator.sign_in()
    for path in ("", "/", "/sign-in", "/static/ops.css", "/static/none", "/overview.json", "/lists/none"):
        headers = operator.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy, path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert (headers["Cache-Control"] == "no-store") == (path != "/static/ops.css")


def test_without_a_password_there_are_no_pages(sessions: sessionmaker[Session]) -> None:
    nothing: Any = None
    assert make_operators_pages(settings(ops_password=None), sessions, nothing) == []


def test_the_language_is_the_browsers_or_the_chosen_one(operator: Operator) -> None:
    assert "Sign in" in operator.read("/sign-in")
    operator.language = "fr-CH, de;q=0.8"
    assert "Se connecter" in operator.read("/sign-in")
    operator.language = "de, it"
    assert "Se connecter" in operator.read("/sign-in")
    answer = operator.get("/language/en?next=sign-in")
    assert answer.headers["Location"] == "../sign-in"
    operator.cookies["fleet-ops-language"] = "en"
    assert "Sign in" in operator.read("/sign-in")
    assert operator.get("/language/xx").status == 404
