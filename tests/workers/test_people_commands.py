"""What an operator sees and changes of what people want; recorded, and without addresses in the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.notifications.pipeline import email, execute
from tests.workers.test_by_hand import fleet, rows

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client

NUMBER = "+33639980001"
ADDRESS = "camille@example.com"


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fleet("suppressions", *words, "--json").stdout)
    return found


def test_an_address_is_suppressed_and_lifted_by_hand(application: sessionmaker[Session]) -> None:
    done = fleet("suppress", "email", "Camille@Example.com", "--why", "a lawyer wrote", "--who", "dominique")
    assert done.exit_code == 0, done.output
    (found,) = listed("--address", ADDRESS.upper())
    assert (found["channel"], found["address"], found["reason"]) == ("EMAIL", ADDRESS, "BY_HAND")
    assert fleet("suppress", "EMAIL", ADDRESS, "--why", "again").exit_code == 1

    said = fleet("unsuppress", found["id"])
    assert (said.exit_code, "Nothing was done" in said.stdout) == (0, True)
    (lift,) = json.loads(fleet("unsuppress", found["id"], "--json").stdout)["lift"]
    assert (lift["id"], ADDRESS in str(lift)) == (found["id"], False)
    assert fleet("unsuppress", ADDRESS, "--yes").exit_code == 2
    assert fleet("unsuppress", ADDRESS, "--yes", "--why", "settled", "--who", "dominique").exit_code == 0
    assert fleet("unsuppress", ADDRESS, "--yes", "--why", "settled").exit_code == 1
    assert listed() == []
    (lifted,) = listed("--address", ADDRESS)
    assert (lifted["lifted_by"], lifted["lifted_why"]) == ("dominique", "settled")
    record = rows(
        application, "select action, subject::text, who, why, details from fleet.interventions order by at"
    )
    assert [(row.action, row.subject, row.who, row.why) for row in record] == [
        ("suppress", found["id"], "dominique", "a lawyer wrote"),
        ("unsuppress", found["id"], "dominique", "settled"),
    ]
    assert ADDRESS not in str(record).lower()


def test_a_list_shows_no_whole_address(application: sessionmaker[Session]) -> None:
    fleet("suppress", "SMS", "+33 6 39 98 00 01", "--why", "asked")
    fleet("suppress", "EMAIL", ADDRESS, "--why", "asked")
    assert {each["address"] for each in listed()} == {"c…@example.com", "+33…01"}
    shown = fleet("suppressions").stdout
    assert NUMBER not in shown
    assert ADDRESS not in shown
    assert NUMBER in fleet("suppressions", "--address", NUMBER).stdout
    assert len(rows(application, "select from fleet.suppressions")) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["suppress", "PUSH", ADDRESS, "--why", "x"],
        ["suppress", "SMS", "0639980001", "--why", "x"],
        ["suppress", "SMS", "+33", "--why", "x"],
        ["unsuppress", "camille"],
        ["preferences", "camille"],
    ],
)
def test_what_is_no_address_is_said(words: list[str]) -> None:
    assert fleet(*words).exit_code == 2


def test_preferences_are_shown_and_changed(client: Client, application: sessionmaker[Session]) -> None:
    user = str(client.user_id)
    shown = fleet("preferences", user)
    assert (shown.exit_code, "never" in shown.stdout) == (0, True)
    assert rows(application, "select from fleet.preferences") == []
    changes = [
        *("locale=en", "time_zone=America/New_York", "prefers_sms=yes", "refused_channels=email"),
        *("opted_out=REMINDER, DOSSIER", "quiet_hours=21:00-08:00"),
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert fleet("preferences", user, *words).exit_code == 2
    assert fleet("preferences", user, *words, "--why", "asked by phone").exit_code == 0
    said = json.loads(fleet("preferences", user, "--json").stdout)
    assert said["opted_out"] == ["DOSSIER", "REMINDER"]
    assert (said["locale"], said["time_zone"], said["prefers_sms"]) == ("en", "America/New_York", True)
    assert (said["quiet_from"], said["refused_channels"]) == ("21:00:00", ["EMAIL"])
    assert "21:00-08:00" in fleet("preferences", user).stdout

    cleared = [
        "--set",
        "quiet_hours=",
        "--set",
        "locale=",
        "--set",
        "opted_out=DOSSIER",
        "--why",
        "asked again",
    ]
    assert fleet("preferences", user, *cleared).exit_code == 0
    (row,) = rows(application, "select * from fleet.preferences")
    assert (row.quiet_from, row.locale, row.opted_out) == (None, None, ["DOSSIER"])
    first, second = rows(application, "select * from fleet.interventions order by at")
    assert (first.subject, first.details["opted_out"]) == (client.user_id, ["DOSSIER", "REMINDER"])
    assert second.details == {
        "set": ["locale", "opted_out", "quiet_hours"],
        "opted_in": ["REMINDER"],
        "opted_out": [],
    }


@pytest.mark.parametrize(
    "change",
    [
        "pigeons=yes",
        "locale",
        "locale=de",
        "time_zone=Paris",
        "prefers_sms=maybe",
        "opted_out=ALL",
        "quiet_hours=9",
    ],
)
def test_what_is_no_preference_is_said(
    client: Client, application: sessionmaker[Session], change: str
) -> None:
    assert fleet("preferences", str(client.user_id), "--set", change, "--why", "x").exit_code == 2
    assert rows(application, "select from fleet.preferences") == []


def test_a_person_whom_nobody_knows_has_none() -> None:
    assert fleet("preferences", str(uuid4())).exit_code == 1


def test_explain_tells_what_holds_a_delivery_back(
    app: Application, client: Client, owner_url: str, application: sessionmaker[Session]
) -> None:
    delivery_id = email(app, client, "Camille@Example.com")
    fleet("suppress", "EMAIL", ADDRESS, "--why", "asked", "--who", "dominique")
    fleet("preferences", str(client.user_id), "--set", "opted_out=REMINDER", "--why", "asked")
    execute(
        owner_url, "update fleet.dispatch set last_code = 'quiet_hours', due_at = now() + interval '1 hour'"
    )
    moments = json.loads(fleet("explain", str(delivery_id), "--json").stdout)
    told = {moment["what"]: moment["told"] for moment in moments}
    assert told["person"] == "nothing of REMINDER"
    assert told["queue"].startswith("quiet hours until ")
    assert "BY_HAND, said by dominique" in told["address"]
    assert ADDRESS not in json.dumps(moments).lower()
    with application() as session:
        assert session.scalar(text("select count(*) from fleet.interventions")) == 2
