"""``fleet reminders``: what came of reminders, in sum and of one order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.workers.test_by_hand import fleet

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client

OCTOBER, NOVEMBER = datetime(2026, 10, 31, 23, 30, tzinfo=UTC), datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.fixture
def change(application: sessionmaker[Session]) -> Any:
    def _change(statement: str, **values: object) -> None:
        with application.begin() as session:
            session.execute(text(statement), values)

    return _change


@pytest.fixture
def remind(change: Any) -> Any:
    """A reminder as the fleet leaves it: sent, and told on some channels."""

    def _remind(
        client: Client,
        number: int,
        at: datetime,
        *channels: str,
        clicked: datetime | None = None,
        paid: datetime | None = None,
        **columns: object,
    ) -> None:
        values = {
            "order_id": client.order_id,
            "number": number,
            "user_id": client.user_id,
            "claimed_at": at,
            "due_at": at,
            "state": "SENT",
            "amount": 99900,
            "currency": "USD",
            "sent_at": at,
            "clicked_at": clicked,
            "paid_at": paid,
            **columns,
        }
        names = ", ".join(values)
        change(f"insert into fleet.reminders ({names}) values (:{names.replace(', ', ', :')})", **values)
        for channel in channels:
            change(
                "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
                " values (:user, :order, cast(:channel as notification_channel), :at)",
                user=client.user_id,
                order=client.order_id,
                channel=channel,
                at=at + timedelta(seconds=2),
            )

    return _remind


@pytest.fixture
def other(app: Application) -> Client:
    return app.register("andrea@example.com", "Andrea Sample")


@pytest.fixture
def reminded(client: Client, other: Client, remind: Any, change: Any) -> UUID:
    """Two orders with three reminders between them, and what does not count; the first order's id."""
    remind(client, 1, OCTOBER, "EMAIL", "WHATSAPP", "IN_APP", clicked=OCTOBER + DAY)
    remind(client, 2, NOVEMBER, "EMAIL", "IN_APP", clicked=NOVEMBER, paid=NOVEMBER + DAY, last=True)
    # SMS took over, hours later.
    change(
        "insert into payment_reminders (user_id, order_id, sent_via, sent_at) values (:u, :o, 'SMS', :at)",
        u=client.user_id,
        o=client.order_id,
        at=OCTOBER + timedelta(hours=5),
    )
    remind(other, 1, NOVEMBER, "EMAIL", paid=NOVEMBER + DAY, amount=75000, currency="eur")
    remind(other, 2, NOVEMBER + DAY, state="SKIPPED", sent_at=None, reason="paid")
    # The application's own, before the fleet had sent any.
    change(
        "insert into payment_reminders (user_id, order_id, sent_via, sent_at) values (:u, :o, 'SMS', :at)",
        u=other.user_id,
        o=other.order_id,
        at=NOVEMBER - DAY,
    )
    return client.order_id


def shares(*words: str) -> dict[tuple[str, str], tuple[int, int, int, dict[str, int]]]:
    found = json.loads(fleet("reminders", *words, "--json").stdout)
    return {(e["by"], e["value"]): (e["sent"], e["clicked"], e["paid"], e["recovered"]) for e in found}


@pytest.mark.usefixtures("reminded")
def test_they_are_summed_by_number_channel_and_month() -> None:
    dollars, both = {"USD": 99900}, {"USD": 99900, "EUR": 75000}
    assert shares() == {
        ("all", ""): (3, 2, 2, both),
        ("number", "1"): (2, 1, 1, {"EUR": 75000}),
        ("number", "2"): (1, 1, 1, dollars),
        ("channel", "SMS"): (1, 1, 0, {}),
        ("channel", "EMAIL"): (3, 2, 2, both),
        ("channel", "IN_APP"): (2, 2, 1, dollars),
        ("channel", "WHATSAPP"): (1, 1, 0, {}),
        ("month", "2026-10"): (1, 1, 0, {}),
        ("month", "2026-11"): (2, 1, 2, both),
    }
    assert shares("--since", "2026-11-01T00:00Z")["all", ""] == (2, 1, 2, both)
    assert shares("--since", "2027-01-01T00:00Z") == {}


@pytest.mark.usefixtures("reminded")
def test_they_are_told_in_a_table() -> None:
    told = fleet("reminders")
    assert told.exit_code == 0
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert "all 3 2 (67 %) 2 (67 %) €750.00, $999.00" in lines
    assert "2 1 1 (100 %) 1 (100 %) $999.00" in lines
    assert "WHATSAPP 1 1 (100 %) 0 (0 %)" in lines
    assert [line for line in lines if line.startswith("by ")] == ["by number", "by channel", "by month"]


def test_none_is_said_to_be_none(client: Client) -> None:
    assert "No reminder was sent." in fleet("reminders").stdout
    assert "No reminder of it." in fleet("reminders", str(client.order_id)).stdout


def test_an_orders_are_told_one_by_one(
    reminded: UUID, client: Client, other: Client, remind: Any, change: Any
) -> None:
    for number, session in ((1, "cs_test_a"), (1, "cs_test_b"), (2, "cs_test_c")):
        change(
            "insert into fleet.reminder_sessions (session_id, order_id, number, created_at, expires_at)"
            " values (:s, :o, :n, now(), now())",
            s=session,
            o=reminded,
            n=number,
        )
    change("insert into fleet.cancellations values (:o, 2, :at)", o=reminded, at=NOVEMBER + 3 * DAY)
    remind(
        *(client, 3, NOVEMBER + DAY),
        state="CLAIMED",
        sent_at=None,
        tries=2,
        last_error="http_500",
        forced_by="dominique",
        forced_why="asked by [phone]",
    )
    found = json.loads(fleet("reminders", str(reminded), "--json").stdout)
    assert (found["order"]["product"], found["order"]["cancelled_at"][:10]) == ("LLC Formation", "2026-11-23")
    first, second, third = found["reminders"]
    assert first["channels"] == ["EMAIL", "IN_APP", "SMS", "WHATSAPP"]
    assert first["sessions"] == ["cs_test_a", "cs_test_b"]
    assert (second["channels"], second["last"], second["paid_at"]) == (
        ["EMAIL", "IN_APP"],
        True,
        "2026-11-21T09:00:00+00:00",
    )
    assert (third["channels"], third["forced_by"]) == ([], "dominique")

    told = fleet("reminders", str(reminded))
    assert told.exit_code == 0
    words = " ".join(told.stdout.split())
    assert "LLC Formation, $999.00, PENDING cancelled 2026-11-23 09:00 UTC, after the last reminder" in words
    for said in ("2 (last)", "EMAIL, IN_APP, SMS", "2026-10-31 23:30", "cs_test_b", "asked by [phone]"):
        assert said in told.stdout
    assert "2 tries" in words
    skipped = fleet("reminders", str(other.order_id)).stdout
    assert "skipped: paid" in skipped
    since = json.loads(fleet("reminders", str(reminded), "--since", "2026-11-01T00:00Z", "--json").stdout)
    assert [each["number"] for each in since["reminders"]] == [2, 3]


def test_what_is_no_order_is_said() -> None:
    assert fleet("reminders", "not-an-id").exit_code == 2
    unknown = fleet("reminders", str(uuid4()))
    assert (unknown.exit_code, "There is no order" in unknown.stderr) == (1, True)
    assert fleet("reminders", "--since", "yesterday").exit_code == 2
