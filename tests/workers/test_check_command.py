"""``fleet check``: one line for each trouble, by the alerts' names and limits, and an exit code."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from db.queries import figures
from schedules.timetable import timetable
from tests.notifications.pipeline import execute
from tests.workers.misfortunes import MISFORTUNES, befall
from tests.workers.test_settings import COMPLETE
from workers.cli import app, main
from workers.clock import utc_now
from workers.troubles import troubles

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker
    from typer.testing import Result


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLEET_")]:
        monkeypatch.delenv(name)
    for name, value in (COMPLETE | {"DATABASE_URL": database_url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _kept_timetable(owner_url: str, _on_this_database: None) -> None:
    """Every entry seen a moment ago."""
    names = ", ".join(f"('{entry.name}', now())" for entry in timetable())
    execute(owner_url, f"insert into fleet.schedule (name, since) values {names}")


def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", *words])


def test_nothing_is_wrong() -> None:
    told, as_json = check(), check("--json")
    assert (told.exit_code, told.stdout) == (0, "Nothing is wrong.\n")
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (0, [])


def test_everything_is_wrong(owner_url: str) -> None:
    execute(owner_url, "delete from fleet.schedule")
    befall(owner_url, utc_now(), *MISFORTUNES)
    told = check()
    lines = told.stdout.splitlines()
    assert told.exit_code == 1
    assert sorted(line.split()[0].rstrip(":") for line in lines) == sorted(MISFORTUNES)
    assert "FleetFindingsOpen DISPUTE: 1 that nobody has resolved; docs/runbook.md#fleetfindingsopen" in lines
    listed = json.loads(check("--json").stdout)
    assert {"alert", "about", "told", "runbook"} == set(listed[0])
    assert {(each["alert"], each["about"]) for each in listed} == {
        ("FleetWorkIsLate", "lookups"),
        ("FleetDeadLetters", "fanout"),
        ("FleetCallbacksWait", "stripe"),
        ("FleetProviderMisconfigured", "EMAIL"),
        ("FleetUnseenCode", "twilio 99999"),
        ("FleetUnknownOutcomes", "SMS"),
        ("FleetNoEvidence", "EMAIL"),
        ("FleetFindingsOpen", "DISPUTE"),
        ("FleetPaymentsPolled", "stripe"),
        ("FleetBeatSilent", "wake-queues"),
        ("FleetRunFails", "forget-links"),
    }


def test_below_its_limit_nothing_is_told(owner_url: str, sessions: sessionmaker[Session]) -> None:
    now = utc_now()
    befall(owner_url, now, "FleetUnknownOutcomes", "FleetWorkIsLate", "FleetCallbacksWait")
    befall(owner_url, now, "FleetUnseenCode", "FleetPaymentsPolled")
    execute(
        owner_url,
        f"update fleet.attempts set opened_at = timestamptz '{now}' - interval '30 minutes'",
        f"update fleet.lookups set due_at = timestamptz '{now}' - interval '60 seconds'",
        f"update fleet.inbox set received_at = timestamptz '{now}' - interval '10 minutes'",
        f"update fleet.unseen_codes set last_seen = timestamptz '{now}' - interval '25 hours'",
        "insert into fleet.settlements (order_id, amount, currency, learned, settled_at)"
        f" select gen_random_uuid(), 12000, 'EUR', 'WEBHOOK', '{now}' from generate_series(1, 9)",
    )
    with sessions.begin() as session:
        found = figures.take(session, now)
    assert troubles(found, now, timetable(), 60.0, 0.1) == []
    assert {each.alert for each in troubles(found, now, timetable(), 59.0, 0.09)} == {
        "FleetWorkIsLate",
        "FleetPaymentsPolled",
    }
    later = now + timedelta(hours=1)
    assert {each.alert for each in troubles(found, later, timetable(), 60.0, 0.1)} == {"FleetBeatSilent"}


def test_no_tick_has_ever_come(owner_url: str) -> None:
    execute(owner_url, "delete from fleet.schedule")
    told = check()
    assert (told.exit_code, told.stdout.startswith("FleetBeatSilent: no tick has ever come")) == (1, True)


def test_wrong_settings_and_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fleet", "check"])
    monkeypatch.setenv("DATABASE_URL", "postgresql://fleet:hush@127.0.0.1:1/platform")
    with pytest.raises(SystemExit) as away:
        main()
    monkeypatch.delenv("EMAIL_FROM")
    with pytest.raises(SystemExit) as wrong:
        main()
    assert (away.value.code, wrong.value.code) == (3, 2)
    assert "hush" not in capsys.readouterr().err
