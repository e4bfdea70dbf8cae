"""The command line is even: what holds for one command holds for all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workers.command_page import PAGE, written
from tests.workers.commands_walked import Walked, parsed, walked
from workers.cli import app
from workers.commands.output import Exit

COMMANDS = {each.name: each for each in walked()}

READ = {
    *("status", "explain", "check", "doctor", "deliveries", "dead-letters", "suppressions", "render"),
    *("schedule", "tasks", "reminders", "findings", "findings show", "links"),
    *("settings", "settings reference", "settings example"),
    *("db status", "db current", "db check", "db reference", "gdpr export", "gdpr schema"),
}
"""Commands that change nothing."""

NO_REHEARSAL = {
    **dict.fromkeys(("worker", "relay", "beat", "ingress", "flower"), "a process"),
    **dict.fromkeys(("up", "demo", "sandbox"), "a process, on data of its own"),
    "db role": "--print-sql prints what it would do",
}
"""Commands that change something and have no ``--dry-run``, and why."""

NO_JSON = {
    **dict.fromkeys(("worker", "relay", "beat", "ingress", "flower"), "a process: it logs"),
    **dict.fromkeys(("up", "demo", "sandbox"), "a process"),
    **dict.fromkeys(("gdpr export", "gdpr schema"), "JSON is all it prints"),
    **dict.fromkeys(("db reference", "settings reference", "settings example"), "a file is all it prints"),
    "db upgrade": "fleet db status --json tells the same before and after",
}
"""Commands without ``--json``, and why."""


@pytest.fixture(params=sorted(COMMANDS))
def command(request: pytest.FixtureRequest) -> Walked:
    return COMMANDS[request.param]


def test_its_help_begins_with_a_sentence_and_ends_with_examples_that_parse(command: Walked) -> None:
    first = (command.command.help or "").split("\n\n")[0]
    assert re.fullmatch(r"[A-Z].+\.", " ".join(first.split())), "a sentence that ends with a period"
    assert command.examples, "an example, by workers.commands.output.examples"
    assert {parsed(example) for example in command.examples} == {command.name}
    shown = CliRunner().invoke(app, [*command.name.split(), "--help"], env={"TERMINAL_WIDTH": "200"})
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "Examples:" in shown.stdout


def test_every_option_and_argument_is_explained(command: Walked) -> None:
    for parameter in command.command.params:
        told = getattr(parameter, "help", None)
        assert told, f"{parameter.name} has no help"
        assert told.endswith("."), f"the help of {parameter.name} is no sentence"


def test_what_changes_something_can_be_rehearsed(command: Walked) -> None:
    wanted = command.name not in {*READ, *NO_REHEARSAL}
    assert ("--dry-run" in command.options) == wanted


def test_what_prints_data_prints_json(command: Walked) -> None:
    assert ("--json" in command.options) == (command.name not in NO_JSON)


def test_the_exceptions_are_commands() -> None:
    assert {*READ, *NO_REHEARSAL, *NO_JSON} <= set(COMMANDS)


def test_the_page_tells_of_every_command_and_task_as_they_are() -> None:
    page = PAGE.read_text("utf-8")
    assert page == written(page), "python -m tests.workers.command_page"


def test_an_option_is_the_same_everywhere() -> None:
    """By one name for one thing: a flag here is a flag there."""
    kinds: dict[str, dict[str, str]] = {}
    for each in COMMANDS.values():
        for option, parameter in each.options.items():
            kind = "flag" if getattr(parameter, "is_flag", False) else "value"
            kinds.setdefault(option, {})[each.name] = kind
    mixed = {option: of for option, of in kinds.items() if len(set(of.values())) > 1}
    assert mixed == {}
    for option in ("--json", "--dry-run", "--who", "--since"):
        helps = {each.options[option].help for each in COMMANDS.values() if option in each.options}  # type: ignore[attr-defined]
        assert len(helps) == 1, f"{option} is explained in different words: {helps}"


def test_every_command_ends_with_a_documented_exit_code() -> None:
    """Whatever is raised to end a command names one of ``Exit``."""
    folder = Path("workers/commands")
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            code = {"typer.Exit": 0, "fail": 1}.get(called)
            if code is None or (file.name == "output.py"):
                continue
            given = ast.unparse(node.args[code])
            assert re.search(r"\bExit\.[A-Z]+|exit_code\(", given), f"{file}: {ast.unparse(node)}"
            assert set(re.findall(r"\bExit\.([A-Z]+)", given)) <= set(Exit.__members__)
