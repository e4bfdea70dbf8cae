"""The shell completes names, without settings and without asking anything of anybody."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from workers.cli import app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLEET_") or name.endswith("_URL")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **given: str) -> str:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app(prog_name="fleet")
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fleet pa", {"pause"}),
        ("fleet db up", {"upgrade"}),
        ("fleet retry --dr", {"--dry-run"}),
        ("fleet run send-", {"send-reminders"}),
        ("fleet run payments.", {"payments.settle_order", "payments.work_off_due"}),
        ("fleet pause W", {"WHATSAPP"}),
        ("fleet suppress E", {"EMAIL"}),
        ("fleet deliveries --status F", {"FAILED"}),
        ("fleet replay --queue not", {"notices"}),
        ("fleet findings --kind AMOUNT", {"AMOUNT_MISMATCH"}),
        ("fleet links --state o", {"open"}),
        ("fleet render WELCOME_", {"WELCOME_BACK"}),
        ("fleet explain 0f8f", set()),
    ],
)
def test_names_are_completed(
    typed: str, offered: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    position = str(len(typed.split()) - 1)
    words = printed(
        monkeypatch, capsys, _FLEET_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position
    )
    assert {*words.split()} == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"_FLEET_COMPLETE=complete_{shell}" in printed(
        monkeypatch, capsys, _FLEET_COMPLETE=f"source_{shell}"
    )
