"""``fleet render``: the words of a message without sending it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from services.notifications import samples, words
from services.notifications.template_codes import Template
from workers.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture(autouse=True)
def _without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def render(*words_: str) -> Result:
    return CliRunner().invoke(app, ["render", *words_])


@pytest.mark.parametrize("locale", words.LOCALES)
def test_made_up_words_of_every_channel(locale: str) -> None:
    email, sms, whatsapp = (
        render("REMINDER", "--locale", locale, "--channel", channel)
        for channel in ("email", "sms", "whatsapp")
    )
    assert {email.exit_code, sms.exit_code, whatsapp.exit_code} == {0}
    assert "Camille Exemple" in email.stdout
    assert str(samples.unsubscribe_url("REMINDER")) in email.stdout
    assert samples.SHORT_LINK in sms.stdout
    assert len(sms.stdout.strip()) <= 160
    assert samples.SHORT_LINK in whatsapp.stdout
    assert "particulars are made up" in email.stderr


def test_into_a_file(tmp_path: Path) -> None:
    done = render("WELCOME", "--out", str(tmp_path / "welcome.html"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "welcome.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert render("WELCOME", "--channel", "sms", "--out", str(tmp_path / "sms.txt")).exit_code == 0
    assert "Partners VRAI" in (tmp_path / "sms.txt").read_text("utf-8")


def test_variables_of_ones_own() -> None:
    values = samples.variables(Template.NEW_MESSAGE, "fr") | {"name": "Andrea [b]Sample[/b]"}
    done = render("NEW_MESSAGE", "--variables", json.dumps(values))
    assert "Andrea [b]Sample[/b]," in done.stdout


@pytest.mark.parametrize(
    ("words_", "told"),
    [
        (("FAREWELL",), "no such template; there are WELCOME,"),
        (("WELCOME", "--variables", '{"name": null, "product": "x"}'), "action_url is missing, reference is"),
        (("WELCOME", "--variables", "{"), "--variables is no JSON"),
        (("WELCOME", "--variables", "[]"), "--variables must be an object"),
        (("WELCOME", "--locale", "de"), "locale"),
        (("WELCOME", "--channel", "pigeon"), "channel"),
    ],
)
def test_what_is_wrong_is_told(words_: tuple[str, ...], told: str) -> None:
    done = render(*words_)
    assert done.exit_code == 2
    assert told in done.stderr
