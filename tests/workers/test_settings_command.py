"""``fleet settings``: every setting, where it comes from, what is misspelt, and nothing of a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from tests.workers.test_settings import COMPLETE, complete, folder
from workers.commands import configuring
from workers.settings import Settings, page
from workers.settings.shown import without_password
from workers.settings.sources import SECRETS_DIR

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

__all__ = ["complete", "folder"]

APP = typer.Typer()
APP.callback()(lambda: None)
configuring.register(APP)


def settings(*words: str) -> Result:
    result = CliRunner().invoke(APP, ["settings", *words])
    assert "hush" not in result.output
    return result


def listed(result: Result) -> dict[str, tuple[str, str]]:
    told: dict[str, Any] = json.loads(result.stdout)
    return {each["name"]: (each["value"], each["source"]) for each in told["settings"]}


def test_each_setting_is_told_with_its_source(complete: pytest.MonkeyPatch, folder: Path) -> None:
    complete.setenv(SECRETS_DIR, "secrets")
    complete.delenv("TWILIO_AUTH_TOKEN")
    folder.joinpath("secrets").mkdir()
    folder.joinpath("secrets/TWILIO_AUTH_TOKEN").write_text("hush-file\n", encoding="utf-8")
    folder.joinpath(".env").write_text("FLEET_COMPANY=[Exemple]\nFLEET_LOCALE=\n", encoding="utf-8")
    result = settings("--json")
    told = listed(result)
    assert result.exit_code == 0
    assert list(told) == list(Settings.variables())
    assert told["DATABASE_URL"] == ("postgresql://fleet@127.0.0.1/platform", "environment")
    assert told["REDIS_URL"] == ("redis://127.0.0.1:6379/0", "environment")
    assert told["TWILIO_AUTH_TOKEN"] == ("set", "file")
    assert told["STRIPE_WEBHOOK_SECRET"] == ("set", "environment")
    assert told["FLEET_COMPANY"] == ("[Exemple]", ".env")
    assert told["FLEET_LOCALE"] == ("fr", "default")
    assert told["FLEET_OPS_PASSWORD"] == ("not set", "default")
    assert told["FLEET_QUIET_HOURS"] == ("", "default")
    lines = [line.split() for line in settings().stdout.splitlines()]
    assert ["FLEET_COMPANY", "[Exemple]", ".env"] in lines
    assert ["FLEET_QUIET_HOURS", "-", "default"] in lines


def test_what_is_wrong_is_told_and_all_the_rest(complete: pytest.MonkeyPatch) -> None:
    complete.delenv("APP_URL")
    complete.setenv("TWILIO_ACCOUNT_SID", "hush: the token in the wrong place")
    complete.setenv("DATABASE_URL", "mysql://fleet:hush@127.0.0.1/platform")
    result = settings("--json")
    told = listed(result)
    assert result.exit_code == 2
    assert told["APP_URL"] == ("", "missing")
    assert told["TWILIO_ACCOUNT_SID"] == told["DATABASE_URL"] == ("malformed", "environment")
    assert told["PUBLIC_URL"] == (COMPLETE["PUBLIC_URL"], "environment")
    assert "3 settings are missing or malformed" in result.stderr


def test_names_that_are_none_are_told_with_the_nearest(complete: pytest.MonkeyPatch, folder: Path) -> None:
    complete.setenv("FLEET_LOCAL", "en")
    complete.setenv("FLEET_LIVES", "300")
    complete.setenv("SOMETHING_ELSE", "1")
    folder.joinpath(".env").write_text("FLEET_SMS_RETRYS=5\nFLEET_ZZZZZZZZZZZZZZ=1\n", encoding="utf-8")
    result = settings("--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["unknown"] == [
        {"name": "FLEET_LOCAL", "source": "environment", "nearest": "FLEET_LOCALE"},
        {"name": "FLEET_SMS_RETRYS", "source": ".env", "nearest": "FLEET_SMS_RETRIES"},
        {"name": "FLEET_ZZZZZZZZZZZZZZ", "source": ".env", "nearest": None},
    ]
    warned = settings().stderr
    assert "FLEET_LOCAL (environment) is no setting; is FLEET_LOCALE meant?\n" in warned
    assert "FLEET_ZZZZZZZZZZZZZZ (.env) is no setting\n" in warned


def test_the_reference_and_the_example_are_printed_as_they_are_kept() -> None:
    assert settings("reference").stdout == page.reference()
    assert settings("example").stdout == page.example()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:hush@db.example.com:5432/app", "postgresql://u@db.example.com:5432/app"),
        ("postgresql://u:hu%2Fsh@a:1,b:2/app?password=hush", "postgresql://u@a:1,b:2/app?…"),
        ("postgresql:///app?host=/run/postgresql", "postgresql:///app?…"),
        ("redis://:hush@[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis://hush@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("amqps://u:hush@mq.example.com/fleet", "amqps://u@mq.example.com/fleet"),
        # Passwords that are not written as a URL wants them.
        ("postgresql://u:hu/sh@db.example.com/app", "set"),
        ("postgresql://u:12/sh@db.example.com/app", "set"),
        ("postgresql://u:hu@sh@db.example.com/app", "set"),
        ("postgresql://u:12?sh@db.example.com/app", "set"),
        ("postgresql://u:12#sh@db.example.com/app", "set"),
        ("postgresql://u:12,sh@db.example.com/app", "postgresql://u@db.example.com/app"),
    ],
)
def test_a_url_is_told_without_its_password(url: str, told: str) -> None:
    assert without_password(url) == told
