"""``fleet gdpr``: said first, done with a reason, and written where nobody else reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from tests.notifications.pipeline import email
from tests.workers.test_settings import COMPLETE
from workers.cli import app as cli

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (COMPLETE | {"DATABASE_URL": database_url}).items():
        monkeypatch.setenv(name, value)


def fleet(*words: object) -> Result:
    return CliRunner().invoke(cli, ["gdpr", *map(str, words)])


def test_an_erasure_is_said_first_and_then_done_once(
    app: Application, client: Client, application: sessionmaker[Session]
) -> None:
    email(app, client)
    said = fleet("erase", client.user_id)
    assert said.exit_code == 0
    assert "queued deliveries ended" in said.stdout
    assert "Kept for accounting: orders" in said.stdout
    assert "erase there: auth.users, profiles" in said.stdout
    assert "Nothing was done" in said.stdout

    plan = json.loads(fleet("erase", client.user_id, "--yes", "--why", "x", "--dry-run", "--json").stdout)
    assert (plan["dry_run"], plan["erase"]["known"], plan["erase"]["deleted"]) == (True, True, 0)
    assert fleet("erase", client.user_id, "--yes").exit_code == 2
    named = fleet("erase", client.user_id, "--yes", "--why", f"{client.email} asked")
    assert (named.exit_code, "without the person's name" in " ".join(named.stderr.split())) == (2, True)
    with application() as session:
        assert session.scalar(text("select status::text from notification_deliveries")) == "PENDING"

    done = fleet("erase", client.user_id, "--yes", "--why", "asked for by letter", "--who", "dominique")
    assert (done.exit_code, "Erased." in done.stdout) == (0, True)
    with application() as session:
        assert session.scalar(text("select recipient from notification_deliveries")) == "[erased]"
        assert session.scalar(text("select who from fleet.erasures")) == "dominique"
    again = fleet("erase", client.user_id, "--yes", "--why", "asked for by letter")
    assert (again.exit_code, "Nothing is left to erase" in again.stdout) == (0, True)


def test_an_export_is_for_the_eyes_of_whoever_asks_for_it(
    app: Application, client: Client, tmp_path: Path
) -> None:
    email(app, client)
    printed = fleet("export", client.user_id)
    (delivery,) = json.loads(printed.stdout)["sections"]["deliveries"]
    assert delivery["recipient"] == client.email
    out = tmp_path / "person.json"
    assert fleet("export", client.user_id, "--out", out).exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert json.loads(out.read_text("utf-8"))["sections"]["deliveries"] == [delivery]
    refused = fleet("export", client.user_id, "--out", out)
    assert (refused.exit_code, "Name a new file" in refused.stderr) == (2, True)
    assert "sections" in json.loads(fleet("schema").stdout)["required"]


def test_nobody_is_told_apart_from_somebody_without_traces(client: Client) -> None:
    assert fleet("erase", uuid4()).exit_code == 1
    assert fleet("erase", "camille").exit_code == 2
    assert "Nothing is left to erase" in fleet("erase", client.user_id).stdout
