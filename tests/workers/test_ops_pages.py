"""What operators see: the numbers, the rows behind them, and each row's story, without anybody's address."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from string import Formatter
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from db.queries import findings
from tests.notifications.pipeline import email
from tests.notifications.reading import Page
from tests.waiting import wait_for
from tests.workers.ingress_server import serving
from tests.workers.operators import FLOWER, Operator, pages
from tests.workers.ops_desk import leaving, operator, published
from workers.ops.pages import words
from workers.ops.tables import ROWS

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

__all__ = ["leaving", "operator", "published"]  # fixtures


@pytest.fixture(autouse=True)
def _signed_in(operator: Operator) -> None:
    operator.sign_in()


@pytest.fixture
def tried(operator: Operator, app: Application, client: Client, clock: Clock) -> list[UUID]:
    """Deliveries with one try each: delivered, refused, put off, open; a bounced one comes last."""
    ids = [email(app, client) for _ in range(5)]
    ends = [
        ("ACCEPTED", None, "DELIVERED", "SENT"),
        ("REFUSED", "http_400", None, "FAILED"),
        ("DEFERRED", "http_503", None, "PENDING"),
        (None, None, None, "PENDING"),
        ("ACCEPTED", None, "BOUNCED", "BOUNCED"),
    ]
    for minutes, (delivery_id, (outcome, code, receipt, status)) in enumerate(zip(ids, ends, strict=True)):
        token = uuid4()
        opened = clock.now - timedelta(minutes=minutes)
        operator.change(
            "insert into fleet.attempts (token, delivery_id, number, channel, provider, opened_at, closed_at,"
            " outcome, code, provider_message_id) values (:token, :id, 1, 'EMAIL', 'sendgrid', :at,"
            " case when cast(:outcome as text) is not null then cast(:at as timestamptz) end,"
            " cast(:outcome as text), :code, 'm')",
            token=token, id=delivery_id, at=opened, outcome=outcome, code=code,
        )  # fmt: skip
        operator.change(
            "update notification_deliveries set status = cast(:status as notification_status),"
            " provider_response = case when cast(:code as text) is null then '{}'::jsonb"
            " else jsonb_build_object('code', cast(:code as text)) end where id = :id",
            status=status, id=delivery_id, code=code,
        )  # fmt: skip
        if status != "PENDING":
            operator.change("delete from fleet.dispatch where delivery_id = :id", id=delivery_id)
        if receipt:
            operator.change(
                "insert into fleet.receipts (token, delivery_id, state, delivered_at, bounced_at, code)"
                " values (:token, :id, cast(:state as text), :at, :at,"
                " case when cast(:state as text) = 'BOUNCED' then '550' end)",
                token=token, id=delivery_id, state=receipt, at=opened,
            )  # fmt: skip
    return ids


def told(operator: Operator) -> dict[str, Any]:
    """What the page is told once the tries are counted."""

    def asked() -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(operator.get("/overview.json").data)
        return answer if answer["counted"] is not None else {}

    return wait_for(asked)


def cells(page: str) -> list[str]:
    """The rows of a list, each as text without markup."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def test_a_quiet_fleet(operator: Operator) -> None:
    page = operator.read("/")
    assert "No tick has ever come" in page
    assert {"EMAIL", "WHATSAPP", "SMS"} == set(told(operator)["charts"]["channels"])
    assert "script-src" not in page
    assert " style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert f'<a href="{FLOWER}">Flower</a>' in page


def test_nothing_leads_to_flower_where_nobody_knows_where_it_is(
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
) -> None:
    with serving(sessions, clock, leaving, pages(sessions, clock, flower_url=None)) as caller:
        stranger = Operator(caller, application)
        stranger.sign_in()
        assert "Flower" not in stranger.read("/schedule")


def test_the_numbers_are_those_of_the_database(
    operator: Operator, tried: list[UUID], clock: Clock, sessions: sessionmaker[Session]
) -> None:
    assert tried
    operator.change("update fleet.dispatch set due_at = :at", at=clock.now - timedelta(seconds=95))
    with sessions.begin() as session:
        findings.put(session, "DISPUTE", "du_1", {"status": "lost"}, "told", clock.now)
    for learned, minutes in (("WEBHOOK", 5), ("POLL", 10), ("CHECK", 20), ("POLL", 25 * 60)):
        operator.change(
            "insert into fleet.settlements (order_id, amount, currency, learned, settled_at)"
            " values (gen_random_uuid(), 100, 'eur', :learned, :at)",
            learned=learned, at=clock.now - timedelta(minutes=minutes),
        )  # fmt: skip
    operator.change("insert into fleet.outbox (event_id, parked_at) values (gen_random_uuid(), now())")
    series = told(operator)["charts"]["channels"]["EMAIL"]
    page = operator.read("/")
    assert {state: sum(counts) for state, counts in series.items()} == {
        "delivered": 1, "sent": 0, "later": 1, "unknown": 1, "failed": 2,
    }  # fmt: skip
    assert series["delivered"][-1] == 1
    assert series["failed"][-2] == 1
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in (
        "email: work has been due for 95 s",
        "1 dead letters",
        "1 outcomes unknown",
        "1 findings nobody has resolved",
        "66.7% of the payments were told by no webhook",
        "EMAIL http_400 1 20%",
        "EMAIL 550 1 20%",
        "EMAIL http_503 1 20%",
        "told by webhook: 1",
        "found by poll: 1",
    ):
        assert said in text, said


def test_the_picture_is_shared_for_a_moment(operator: Operator, app: Application, client: Client) -> None:
    first = told(operator)
    email(app, client)
    assert told(operator)["html"] == first["html"]


BEHIND = {
    "/lists/tries": [4, 3, 2, 1, 0],
    "/lists/tries?channel=EMAIL&state=failed": [4, 1],
    "/lists/tries?channel=SMS": [],
    "/lists/tries?code=http_400": [1],
    "/lists/tries?code=550&state=failed": [4],
    "/lists/unknown": [3],
    "/lists/deliveries?status=FAILED": [1],
    "/lists/deliveries?status=BOUNCED&channel=EMAIL": [4],
    "/lists/deliveries?code=http_400": [1],
    "/lists/deliveries?template=WELCOME": [],
    "/lists/queue?queue=email": [2, 3],
    "/lists/queue?queue=fanout": [],
}
"""Which of the tried ones are where."""


def test_behind_each_number_are_its_rows(operator: Operator, tried: list[UUID], client: Client) -> None:
    for path, expected in BEHIND.items():
        page = operator.read(path)
        found = {str(some) for row in cells(page) for some in tried if str(some) in row}
        assert found == {str(tried[number]) for number in expected}, path
        assert len(cells(page)) == len(expected), path
        assert client.email not in page
        if expected and "queue" not in path:
            assert "c…@example.com" in page


def test_a_list_goes_on_from_page_to_page(operator: Operator, app: Application, client: Client) -> None:
    made = {str(email(app, client)) for _ in range(2 * ROWS + 5)}
    for path in ("/lists/deliveries", "/lists/queue?queue=email"):
        seen: list[str] = []
        at = path
        for _ in range(3):
            page = operator.read(at)
            seen += [some for row in cells(page) for some in made if some in row]
            further = re.search(r'href="\.\./(lists/[^"]*after=[^"]*)"', page)
            at = f"/{further[1]}" if further else ""
        assert (len(seen), set(seen), at) == (len(made), made, ""), path


NOT_THERE = (
    *("/lists/tries?since=2h", "/lists/tries?after=x", "/lists/tries?after=2026-11-22T03:00:00~x"),
    *(
        "/lists/none",
        "/orders/x",
        "/story/x",
        "/findings/x",
        "/search?id=x",
        "/search",
        "/do/none",
        "/nowhere",
    ),
    *(f"/{kind}/{UUID(int=0)}" for kind in ("story", "findings", "orders")),
)


def test_what_is_not_there_is_said(operator: Operator) -> None:
    assert {path: operator.get(path).status for path in NOT_THERE} == dict.fromkeys(NOT_THERE, 404)


def test_a_row_leads_to_its_story(operator: Operator, tried: list[UUID], client: Client) -> None:
    refused = tried[1]
    page = operator.read(f"/story/{refused}")
    assert all(
        word in page
        for word in (
            "try 1 handed to sendgrid",
            "refused for good",
            "http_400",
            "FAILED",
            f"../do/retry?id={refused}",
        )
    )
    assert client.email not in page
    (token,) = operator.rows("select token from fleet.attempts where delivery_id = :id", id=refused)
    assert "try 1: refused for good" in operator.read(f"/search?id={token[0]}")
    assert "Give up" in operator.read(f"/story/{tried[2]}")


def test_an_order_leads_to_its_events(operator: Operator, app: Application, client: Client) -> None:
    paid = app.pay(client)
    page = operator.read(f"/orders/{paid.order_id}")
    event_id = re.search(r'href="\.\./story/([^"]+)">PAYMENT_RECEIVED', page)
    assert event_id
    assert "PAYMENT_RECEIVED of order" in operator.read(f"/story/{event_id[1]}")
    assert "PAID" in operator.read(f"/search?id={paid.order_id}")


def test_a_finding_is_shown_whole(operator: Operator, sessions: sessionmaker[Session], clock: Clock) -> None:
    details = {"expected": 12000, "note": "<b>x</b>"}
    with sessions.begin() as session:
        findings.put(session, "AMOUNT_MISMATCH", "pi_1", details, "nothing", clock.now, order_id=uuid4())
        (found,) = findings.listing(session, open_only=True, kind=None, limit=9)
    raw = operator.get(f"/findings/{found.id}").data.decode()
    assert "12000" in raw
    assert "&lt;b&gt;x" in raw
    assert "pi_1" in operator.read("/lists/findings?kind=AMOUNT_MISMATCH")
    assert cells(operator.read("/lists/findings?kind=DISPUTE")) == []


def test_reminders_are_told_by_how_far_they_got(operator: Operator, clock: Clock) -> None:
    for number in range(1, 5):
        operator.change(
            "insert into fleet.reminders (order_id, number, user_id, claimed_at, due_at, state, amount,"
            " currency, sent_at, clicked_at, paid_at) values (gen_random_uuid(), 1, gen_random_uuid(), :at,"
            " :at, 'SENT', 1, 'eur', :at, case when :n > 1 then cast(:at as timestamptz) end,"
            " case when :n > 2 then cast(:at as timestamptz) end)",
            at=clock.now - timedelta(hours=number), n=number,
        )  # fmt: skip
    for which, count in (("sent", 4), ("clicked", 3), ("paid", 2), ("all", 4)):
        assert len(cells(operator.read(f"/lists/reminders?which={which}"))) == count
    text = " ".join(re.sub(r"<[^>]+>", " ", operator.read("/")).split())
    assert "followed 3 75%" in text
    assert "paid 2 50%" in text


EVERY_PAGE: Sequence[str] = (
    *("/", "/schedule", "/do/pause?channel=SMS", "/do/resume?channel=SMS", "/do/run?name=forget-links"),
    *(f"/lists/{name}" for name in ("deliveries", "tries", "queue", "unknown", "dead-letters", "findings")),
    *("/lists/payments", "/lists/reminders", "/lists/by-hand", "/lists/dead-letters?queue=email&error=x"),
)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_is_well_formed_in_both_languages(
    operator: Operator, tried: list[UUID], language: str
) -> None:
    operator.language = language
    for path in (*EVERY_PAGE, f"/story/{tried[1]}", f"/do/retry?id={tried[1]}", f"/do/cancel?id={tried[2]}"):
        page = operator.get(path).data.decode()
        assert f'<html lang="{language}">' in page
        assert Page(page.removeprefix("<!doctype html>\n")).problems == [], path
        assert "style=" not in page, path


def test_both_languages_say_the_same_things() -> None:
    french, english = words("fr"), words("en")
    assert french.keys() == english.keys()
    for key, text in french.items():
        asked = [{name for _, name, _, _ in Formatter().parse(said) if name} for said in (text, english[key])]
        assert asked[0] == asked[1], key


def test_while_the_database_is_away_the_pages_say_so(
    clock: Clock, leaving: list[threading.Thread], sessions: sessionmaker[Session]
) -> None:
    away = sessionmaker(make_engine("postgresql://nobody@127.0.0.1:1/nothing"))
    with serving(sessions, clock, leaving, pages(away, clock)) as caller:
        stranded = Operator(caller, away)
        assert stranded.sign_in().status == 503
        assert "Try again in a moment" in stranded.get("/").data.decode()
    with pytest.raises(OperationalError):
        stranded.rows("select 1")
