"""What goes wrong is one message that names the mend, with the exit code that the docs give it."""

from __future__ import annotations

import io
import os
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.workers.commands_walked import walked
from tests.workers.test_settings import COMPLETE
from workers.cli import main
from workers.commands.output import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database

PROCESSES = {"worker", "relay", "beat", "ingress", "flower"}
"""They wait for what is away, as tests/e2e shows; doctor has tests of its own."""

ON_THEIR_OWN = {
    *("up", "demo", "sandbox", "render", "tasks", "gdpr schema"),
    *("settings", "settings reference", "settings example"),
}
"""They need neither settings nor a database, or bring their own."""

EXAMPLES = {
    f"{each.name} {number}": shlex.split(example.partition(" > ")[0])
    for each in walked()
    if each.name not in ON_THEIR_OWN
    for number, example in enumerate(each.examples, 1)
}
OF_COMMANDS = {
    name: words
    for name, words in EXAMPLES.items()
    if name.split()[0] not in {*PROCESSES, "doctor"} and "--enqueue" not in words
}

NOT_A_DATABASE = "postgresql://127.0.0.1:1/none"
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLEET_") or name in COMPLETE]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in (COMPLETE | settings).items():
        monkeypatch.setenv(name, value)


def ended(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    """Run a command as its process would; give its exit code."""
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a password\n"))
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_without_settings(
    example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, EXAMPLES[example]) == Exit.USAGE
    told = capsys.readouterr()
    assert "DATABASE_URL" in told.err + told.out


@pytest.mark.parametrize("example", sorted(OF_COMMANDS))
def test_without_the_database(
    example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, DATABASE_URL=NOT_A_DATABASE, REDIS_URL=NO_BROKER)
    assert ended(monkeypatch, OF_COMMANDS[example]) == Exit.AWAY
    told = capsys.readouterr()
    assert "does not answer" in told.err + told.out
    assert "Traceback" not in told.err


def test_on_a_database_without_the_fleet(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, DATABASE_URL=empty_database, REDIS_URL=NO_BROKER)
    for words in [words for words in OF_COMMANDS.values() if words[1] not in {"db", "reconcile"}]:
        assert ended(monkeypatch, words) == Exit.NO, words
        assert "fleet db status" in capsys.readouterr().err, words


def test_without_the_broker(
    module_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, DATABASE_URL=module_database.url, REDIS_URL=NO_BROKER)
    assert ended(monkeypatch, ["fleet", "run", "forget-links", "--enqueue"]) == Exit.AWAY
    assert "REDIS_URL" in capsys.readouterr().err


def test_with_ids_that_nothing_has(
    module_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, DATABASE_URL=module_database.url, REDIS_URL=NO_BROKER)
    some_id = "0f8fad5b-d9cb-469f-a165-70867728950e"
    named = {name: words for name, words in OF_COMMANDS.items() if any(some_id in word for word in words)}
    for name, words in named.items():
        if name.startswith(("run", "gdpr export")):
            continue  # the one says it as its result; of nobody there is nothing to give out
        assert ended(monkeypatch, words) == Exit.NO, words
        assert capsys.readouterr().err.strip(), words
        if name.startswith("replay"):
            continue  # its ids are of many kinds
        wrong = [word.replace(some_id, "7") for word in words]
        assert ended(monkeypatch, wrong) == Exit.USAGE, wrong
        assert "'7' is not an id" in " ".join(capsys.readouterr().err.replace("│", " ").split()), wrong


def test_an_unknown_command_is_answered_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, ["fleet", "dead-leters"]) == Exit.USAGE
    assert "dead-letters" in capsys.readouterr().err
