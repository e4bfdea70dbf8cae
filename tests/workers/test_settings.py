"""The settings say all that is wrong at once, and never what a secret is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from workers.settings import DatabaseSettings, Settings, SettingsError, given_settings
from workers.settings.sources import SECRETS_DIR

if TYPE_CHECKING:
    from pathlib import Path

COMPLETE = {
    "DATABASE_URL": "postgresql://fleet:hush-database@127.0.0.1/platform",
    "REDIS_URL": "redis://:hush-broker@127.0.0.1:6379/0",
    "SENDGRID_API_KEY": "SG.hush-key",
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "hush-token",
    "TWILIO_SMS_PHONE": "+33639980000",
    "TWILIO_WHATSAPP_PHONE": "whatsapp:+33639980001",
    "STRIPE_SECRET_KEY": "sk_test_hush",
    "STRIPE_WEBHOOK_SECRET": "whsec_hush",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVbNmoROK8sNkdY1hJtZra1/J8X"
        "ikDdMUour6mHJ9GU+vMHTpruizqdxt2YX2Ck/1J7F1kQXW6bADcl4cHCBltw=="
    ),
    "EMAIL_FROM": "Partners VRAI <bonjour@example.com>",
    "APP_URL": "https://app.example.com",
    "PUBLIC_URL": "https://fleet.example.com",
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and an environment without a setting."""
    for name in (*Settings.variables(), SECRETS_DIR, "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    return str(refused.value)


def test_a_complete_environment_is_enough(complete: pytest.MonkeyPatch) -> None:
    del complete
    settings = Settings.load()
    assert settings.database_url.get_secret_value() == COMPLETE["DATABASE_URL"]
    assert settings.twilio_whatsapp_phone == "+33639980001"
    assert str(settings.sendgrid_base_url) == "https://api.sendgrid.com/"
    assert (settings.locale, settings.app_announces) == ("fr", frozenset())
    assert "hush" not in repr(settings)


def test_everything_that_is_missing_is_listed_at_once() -> None:
    message = refusal()
    assert "13 settings are missing or malformed" in message
    for name in COMPLETE:
        assert f"{name:30} is not set" in message


def test_an_empty_value_is_a_missing_one(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("SENDGRID_API_KEY", "")
    message = refusal()
    assert "1 setting is missing" in message
    assert "SENDGRID_API_KEY" in message


MALFORMED = {
    "DATABASE_URL": ("mysql://fleet:hush@127.0.0.1/platform", "postgresql://"),
    "REDIS_URL": ("http://:hush@127.0.0.1", "redis://"),
    "TWILIO_SMS_PHONE": ("06 39 98 00 00", "+33639980000"),
    "SENDGRID_WEBHOOK_PUBLIC_KEY": ("AAAAhush", "base64"),
    "EMAIL_FROM": ("bonjour", "<bonjour@example.com>"),
    "APP_URL": ("app.example.com", "URL"),
    "SENDGRID_BASE_URL": ("ftp://hush.example.com", "URL"),
    "FLEET_LOCALE": ("de", "'fr' or 'en'"),
    "FLEET_TIME_ZONE": ("../hush", "Europe/Paris"),
    "FLEET_EMAIL_RETRIES": ("many", "integer"),
    "FLEET_SENDS_SIDE_BY_SIDE": ("0", "greater than or equal to 1"),
    "FLEET_RETRY_BASE_SECONDS": ("-1", "greater than 0"),
    "FLEET_APP_ANNOUNCES": ("MESSAGE_SENT, MOON_LANDED", "DOSSIER_CREATED"),
}


def test_everything_that_is_malformed_is_listed_with_the_missing_and_no_secret(
    complete: pytest.MonkeyPatch,
) -> None:
    complete.delenv("STRIPE_SECRET_KEY")
    for name, (value, _) in MALFORMED.items():
        complete.setenv(name, value)
    message = refusal()
    lines = {line.split()[0]: line for line in message.splitlines()[1:-1]}
    assert lines.keys() == {"STRIPE_SECRET_KEY", *MALFORMED}
    for name, (_, mend) in MALFORMED.items():
        assert mend in lines[name]
    assert "hush" not in message


@pytest.mark.parametrize(
    ("lease", "accepted"), [("26", False), ("26.5", True), ("5", False), ("0", False), ("-3", False)]
)
def test_a_lease_shorter_than_a_send_is_refused(
    complete: pytest.MonkeyPatch, lease: str, *, accepted: bool
) -> None:
    complete.setenv("FLEET_LEASE_SECONDS", lease)
    if accepted:
        assert Settings.load().lease_seconds == float(lease)
    else:
        assert "FLEET_LEASE_SECONDS" in refusal()


def test_the_default_lease_is_too_short_for_a_longer_timeout(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("FLEET_READ_TIMEOUT_SECONDS", "60")
    message = refusal()
    assert "FLEET_LEASE_SECONDS" in message
    assert "give more than 126" in message


def test_a_file_is_read_and_the_environment_wins(complete: pytest.MonkeyPatch, folder: Path) -> None:
    complete.delenv("APP_URL")
    folder.joinpath(".env").write_text(
        'APP_URL=https://from-file.example.com\nEMAIL_FROM="File <file@example.com>"\nFLEET_LOCALE=en\n'
        "FLEET_COMPANY=\nSOMETHING_ELSE=1\n",
        encoding="utf-8",
    )
    settings = Settings.load()
    assert str(settings.app_url) == "https://from-file.example.com/"
    assert settings.email_from == COMPLETE["EMAIL_FROM"]
    assert (settings.locale, settings.company) == ("en", "Partners VRAI")


def test_the_children_of_a_stack_are_given_the_same(complete: pytest.MonkeyPatch, folder: Path) -> None:
    complete.setenv("FLEET_LOCALE", "fr")
    folder.joinpath(".env").write_text("FLEET_LOCALE=en\nFLEET_COMPANY=Exemple\nAPP_URL=\n", encoding="utf-8")
    given = given_settings()
    assert (given["FLEET_LOCALE"], given["FLEET_COMPANY"]) == ("fr", "Exemple")
    assert given["APP_URL"] == COMPLETE["APP_URL"]


def test_an_empty_value_gives_way_to_the_next_place(complete: pytest.MonkeyPatch, folder: Path) -> None:
    complete.setenv("FLEET_LOCALE", "")
    folder.joinpath(".env").write_text("FLEET_LOCALE=en\n", encoding="utf-8")
    assert Settings.load().locale == "en"
    assert given_settings()["FLEET_LOCALE"] == "en"


def test_only_the_names_of_settings_are_read(complete: pytest.MonkeyPatch, folder: Path) -> None:
    """``LOG_LEVEL``, ``LOCALE`` and ``ENVIRONMENT`` are other programs' names, and often set."""
    for name in ("LOG_LEVEL", "log_level", "fleet_log_level"):
        complete.setenv(name, "ERROR")
    folder.joinpath(".env").write_text("LOCALE=en\nenvironment=staging\n", encoding="utf-8")
    settings = Settings.load()
    assert (settings.log_level, settings.locale, settings.environment) == ("INFO", "fr", "production")


def test_a_file_that_is_no_text_is_named_and_not_quoted(complete: pytest.MonkeyPatch, folder: Path) -> None:
    del complete
    folder.joinpath(".env").write_bytes(b"FLEET_COMPANY=hush\xe9\n")
    message = refusal()
    assert message.startswith(".env can't be read")
    assert not {"hush", "xe9"} & set(re.findall(r"\w+", message))


def test_lists_are_written_with_commas_or_spaces(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("FLEET_APP_ANNOUNCES", "MESSAGE_SENT, DOSSIER_CREATED  ERROR")
    assert Settings.load().app_announces == {"MESSAGE_SENT", "DOSSIER_CREATED", "ERROR"}


def test_the_database_commands_need_the_database_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", COMPLETE["DATABASE_URL"])
    assert DatabaseSettings.load().database_url.get_secret_value() == COMPLETE["DATABASE_URL"]


def test_settings_do_not_change(complete: pytest.MonkeyPatch) -> None:
    del complete
    settings = Settings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.locale = "en"
