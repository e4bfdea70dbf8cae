"""README, CHANGELOG and docs: links lead somewhere, commands exist, and the SQL runs."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from db.engine import dsn
from tests.deploy.composed import ROOT
from workers.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"^(?:\.venv/bin/)?fleet ((?:[a-z-][^#\n]*)?)", re.MULTILINE)

FLEET = typer.main.get_command(app)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), f"{link} leads out of the project"
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text("utf-8")
        snippets = [body for language, body in FENCE.findall(text) if language == "sh"]
        snippets += INLINE.findall(FENCE.sub("", text))
        for snippet in snippets:
            for words in COMMAND.findall(snippet):
                yield _name(page), words.strip()


@pytest.mark.parametrize("words", sorted({words for _, words in _commands()}))
def test_commands_exist(words: str) -> None:
    command = FLEET
    path: list[str] = []
    rest = [word for word in shlex.split(words) if word != "…"]
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command fleet {words}"
        path.append(rest.pop(0))
        command = command.commands[path[-1]]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= options
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0


def test_the_pages_name_every_command() -> None:
    assert isinstance(FLEET, TyperGroup)
    named = {words.split()[0] for _, words in _commands()}
    assert set(FLEET.commands) <= named


def _statements() -> Iterator[str]:
    for page in PAGES:
        for language, body in FENCE.findall(page.read_text("utf-8")):
            if language == "sql":
                yield body.strip()


@pytest.mark.parametrize("statement", list(_statements()))
def test_sql_runs(statement: str, owner_url: str) -> None:
    with psycopg.connect(dsn(owner_url)) as connection:
        connection.execute(statement.encode())
        connection.rollback()


def test_the_architecture_lists_the_tables_of_the_fleet(owner_url: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.split("## Tables of the fleet\n", 1)[1].split("\n## ", 1)[0]
    with psycopg.connect(dsn(owner_url)) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'fleet'").fetchall()
    assert sorted(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == sorted(name for (name,) in tables)


def test_sql_names_ids_that_are_ids() -> None:
    for statement in _statements():
        for literal in re.findall(r"(?:token|_id|\bid) = '([^']*)'", statement):
            assert str(UUID(literal)) == literal
