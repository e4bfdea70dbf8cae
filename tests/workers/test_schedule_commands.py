"""The timetable as operators see it, and its entries run by hand."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schedules.timetable import timetable
from tests.notifications.pipeline import execute
from tests.workers.test_by_hand import fleet, rows
from tests.workers.test_settings import COMPLETE
from workers.bootstrap import make_fleet
from workers.clock import utc_now
from workers.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

NAMES = [entry.name for entry in timetable()]


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLEET_")]:
        monkeypatch.delenv(name)
    for name, value in (COMPLETE | {"DATABASE_URL": database_url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def listed() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(fleet("schedule", "--json").stdout)}


def old_link(owner_url: str) -> None:
    execute(
        owner_url,
        "insert into fleet.links (token, kind, target, expires_at)"
        " values ('old', 'SHORT', 'https://app.example.com', now() - interval '31 days')",
    )


def test_timetable_and_jobs_name_the_same() -> None:
    assert sorted(make_fleet(Settings.load()).runner.jobs) == sorted(NAMES)


def test_the_schedule_tells_of_every_entry_even_before_the_first_tick() -> None:
    said = fleet("schedule")
    assert said.exit_code == 0
    assert all(name in said.stdout for name in NAMES)
    assert "every 5 s" in said.stdout
    assert (list(listed()), fleet("schedule", "--check").exit_code) == (NAMES, 1)


def test_a_run_by_hand_is_recorded(owner_url: str, application: sessionmaker[Session]) -> None:
    old_link(owner_url)
    said = fleet("run", "forget-links", "--dry-run")
    assert (said.exit_code, said.stdout) == (0, "Nothing was done. It would now be: 1 links forgotten\n")
    assert len(rows(application, "select from fleet.links")) == 1
    assert listed()["forget-links"]["runs"] == 0

    done = fleet("run", "forget-links")
    assert (done.exit_code, done.stdout) == (0, "1 links forgotten\n")
    assert rows(application, "select from fleet.links") == []
    told = listed()["forget-links"]
    assert (told["runs"], told["result"], told["error"]) == (1, "1 links forgotten", None)
    assert 0 <= told["took_seconds"] < 10
    assert "1 links forgotten" in fleet("schedule").stdout
    assert fleet("schedule", "--check").exit_code == 0


def test_a_run_that_fails_says_how_and_is_recorded(owner_url: str) -> None:
    execute(owner_url, "alter table fleet.links rename to hidden")
    try:
        failed = fleet("run", "forget-links")
    finally:
        execute(owner_url, "alter table fleet.hidden rename to links")
    assert (failed.exit_code, "failed with UndefinedTable" in failed.stderr) == (1, True)
    assert listed()["forget-links"]["error"] == "UndefinedTable"
    assert "failed: UndefinedTable" in fleet("schedule").stdout


def test_what_a_worker_is_at_is_refused(owner_url: str) -> None:
    execute(
        owner_url,
        "insert into fleet.schedule (name, since, started_at, run, lease_until)"
        " values ('forget-links', now(), now(), gen_random_uuid(), now() + interval '1 minute')",
    )
    refused = fleet("run", "forget-links")
    assert (refused.exit_code, "A worker is at forget-links" in refused.stderr) == (1, True)
    assert listed()["forget-links"]["running"]
    assert "running" in fleet("schedule").stdout


def test_a_silent_beat_is_told(owner_url: str) -> None:
    since = utc_now() - timedelta(minutes=1)
    execute(owner_url, f"insert into fleet.schedule (name, since) values ('wake-queues', '{since}')")
    told = listed()["wake-queues"]
    assert told["overdue"]
    assert 50 < told["late_seconds"] < 120
    assert "overdue by" in fleet("schedule").stdout
    checked = fleet("schedule", "--check")
    assert (checked.exit_code, "wake-queues" in checked.stderr) == (1, True)
