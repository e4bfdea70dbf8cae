"""Settings out of files: which folder, which files, and what wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workers.test_settings import COMPLETE, complete, folder, refusal
from workers.settings import DatabaseSettings, Settings, SettingsError, given_settings, sources
from workers.settings.sources import SECRETS_DIR

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["complete", "folder"]


@pytest.fixture
def secrets(folder: Path, complete: pytest.MonkeyPatch) -> Path:
    """A folder that FLEET_SECRETS_DIR names."""
    made = folder / "secrets"
    made.mkdir()
    complete.setenv(SECRETS_DIR, str(made))
    return made


def test_every_setting_may_be_a_file(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.delenv(name)
        (secrets / name).write_text(f"{value}\n", encoding="utf-8")
    assert Settings.load() == Settings.model_validate(COMPLETE)
    assert DatabaseSettings.load().database_url.get_secret_value() == COMPLETE["DATABASE_URL"]
    assert given_settings().items() >= COMPLETE.items()


def test_names_may_be_small_and_lead_elsewhere(
    secrets: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    (folder / "elsewhere").write_text("from a file", encoding="utf-8")
    (secrets / "twilio_auth_token").symlink_to(folder / "elsewhere")
    assert Settings.load().twilio_auth_token.get_secret_value() == "from a file"


def test_only_the_newline_at_the_end_is_taken_off(secrets: Path) -> None:
    (secrets / "FLEET_OPS_PASSWORD").write_bytes(b" correct  horse \r\n")
    found = Settings.load().ops_password
    assert found is not None
    assert found.get_secret_value() == " correct  horse "


def test_the_environment_wins_then_the_file_of_settings(
    secrets: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLEET_COMPANY", "FLEET_COMPANY_ADDRESS", "FLEET_COMPANY_EMAIL"):
        (secrets / name).write_text("file", encoding="utf-8")
    folder.joinpath(".env").write_text("FLEET_COMPANY=.env\nFLEET_COMPANY_ADDRESS=.env\n", encoding="utf-8")
    monkeypatch.setenv("FLEET_COMPANY", "environment")
    settings = Settings.load()
    assert (settings.company, settings.company_address, settings.company_email) == (
        "environment",
        ".env",
        "file",
    )
    given = given_settings()
    assert (given["FLEET_COMPANY"], given["FLEET_COMPANY_ADDRESS"]) == ("environment", ".env")
    assert given["FLEET_COMPANY_EMAIL"] == "file"


def test_an_empty_file_is_a_missing_setting(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_SECRET_KEY")
    (secrets / "STRIPE_SECRET_KEY").write_text("\n", encoding="utf-8")
    assert f"{'STRIPE_SECRET_KEY':30} is not set" in refusal()


def test_what_a_file_holds_is_never_quoted(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWILIO_ACCOUNT_SID")
    (secrets / "TWILIO_ACCOUNT_SID").write_text("hush", encoding="utf-8")
    message = refusal()
    assert "TWILIO_ACCOUNT_SID" in message
    assert "hush" not in message
    (secrets / "TWILIO_ACCOUNT_SID").write_bytes(b"hush\xff")
    message = refusal()
    assert str(secrets / "TWILIO_ACCOUNT_SID") in message
    assert "hush" not in message


def test_a_file_that_cannot_be_read_is_refused(secrets: Path) -> None:
    (secrets / "FLEET_OPS_PASSWORD").symlink_to(secrets / "FLEET_OPS_PASSWORD")
    assert refusal().startswith(f"{secrets / 'FLEET_OPS_PASSWORD'} can't be read: ")


def test_a_folder_that_is_none_is_refused(secrets: Path, folder: Path) -> None:
    secrets.rmdir()
    for load in (Settings.load, DatabaseSettings.load, given_settings):
        with pytest.raises(SettingsError, match=f"{SECRETS_DIR} names .*, which is no folder"):
            load()
    secrets.touch()
    assert "which is no folder" in refusal()
    del folder


def test_the_file_of_settings_may_name_the_folder(
    secrets: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRETS_DIR)
    (secrets / "FLEET_LOCALE").write_text("en\n", encoding="utf-8")
    assert Settings.load().locale == "fr"
    folder.joinpath(".env").write_text(f"{SECRETS_DIR}=secrets\n", encoding="utf-8")
    assert Settings.load().locale == "en"


def test_without_a_name_systemds_folder_then_that_of_containers(
    folder: Path, complete: pytest.MonkeyPatch
) -> None:
    for name, locale in (("container", "en"), ("systemd", "fr")):
        (folder / name).mkdir()
        (folder / name / "FLEET_COMPANY").write_text(name, encoding="utf-8")
        (folder / name / "FLEET_LOCALE").write_text(locale, encoding="utf-8")
    complete.setattr(sources, "USUAL_SECRETS", folder / "container")
    assert Settings.load().company == "container"
    complete.setenv("CREDENTIALS_DIRECTORY", str(folder / "systemd"))
    assert Settings.load().company == "systemd"
    complete.setenv("CREDENTIALS_DIRECTORY", str(folder / "gone"))
    assert Settings.load().company == "Partners VRAI"
