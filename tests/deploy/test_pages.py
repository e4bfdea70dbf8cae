"""README, CHANGELOG and docs: links lead somewhere, commands exist, what only looks is run, and SQL too."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from db.engine import dsn
from tests.deploy.composed import ROOT
from tests.deploy.conftest import FILLED_IN
from tests.deploy.reading import FENCE, snippets
from workers.cli import app
from workers.dev.sandbox.behaviours import ENDINGS, FAULTY_ENDINGS, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer._click import Command

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FIRST_STEPS = ROOT / "docs/first-steps.md"
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


def _commands() -> Iterator[tuple[str, bool]]:
    """Each command, and whether it stands in a block, to be typed as it is."""
    for page in PAGES:
        text = page.read_text("utf-8")
        blocks = snippets(page, "sh")
        mentions = INLINE.findall(FENCE.sub("", text))
        for snippet in (*blocks, *mentions):
            for words in COMMAND.findall(snippet):
                yield words.strip(), snippet in blocks


def _parsed(words: str) -> tuple[list[str], list[str], Command]:
    """The command's name, what is given to it, and the command."""
    command: Command = FLEET
    name: list[str] = []
    rest = [word for word in shlex.split(words) if word != "…"]
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command fleet {words}"
        name.append(rest.pop(0))
        command = command.commands[name[-1]]
    return name, rest, command


@pytest.mark.parametrize("words", sorted({words for words, _ in _commands()}))
def test_commands_exist(words: str) -> None:
    name, rest, command = _parsed(words)
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= options
    result = CliRunner().invoke(app, [*name, "--help"])
    assert result.exit_code == 0


def test_the_pages_name_every_command() -> None:
    assert isinstance(FLEET, TyperGroup)
    named = {words.split()[0] for words, _ in _commands()}
    assert set(FLEET.commands) <= named


LOOKS = {
    *("status", "explain", "check", "deliveries", "dead-letters", "suppressions", "schedule", "tasks"),
    *("reminders", "findings", "findings show", "links", "render", "gdpr schema"),
    *("db status", "db check", "db current"),
}  # fmt: skip
"""Commands that change nothing."""

REHEARSED = {"retry", "replay", "give-up"}
"""Commands that change nothing unless ``--yes`` says so."""

TO_FILL_IN = {"ID", "USER", "ORDER"}


def _only_looks(words: str) -> bool:
    given = shlex.split(words)
    name = " ".join(takewhile(re.compile("[a-z-]+").fullmatch, given))
    # What is asked of Stripe needs a Stripe.
    rehearsed = "--dry-run" in given and name != "reconcile"
    rehearsed |= name in REHEARSED and "--yes" not in given
    return (rehearsed or name in LOOKS) and not TO_FILL_IN & set(given)


LOOKING = sorted({words for words, typed in _commands() if typed and _only_looks(words)})


@pytest.fixture(scope="module")
def lived_in(module_database: Database) -> Database:
    """After somebody has taken the first steps."""
    with psycopg.connect(dsn(module_database.owner_url), autocommit=True) as connection:
        for statement in snippets(FIRST_STEPS, "sql"):
            connection.execute(statement.encode())
    return module_database


def test_the_first_steps_lead_to_two_events_of_one_client(lived_in: Database) -> None:
    with psycopg.connect(dsn(lived_in.owner_url)) as connection:
        events = connection.execute("select count(*) from events").fetchone()
        waiting = connection.execute("select count(*) from fleet.outbox").fetchone()
        account = connection.execute("select email from auth.users").fetchall()
    assert (events, waiting, account) == ((2,), (2,), [("camille.exemple@example.com",)])


@pytest.mark.parametrize(
    "words", sorted({said for said, typed in _commands() if typed and _only_looks(said)})
)
def test_commands_that_only_look_run(
    words: str,
    lived_in: Database,
    redis_server: EmbeddedRedis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    addresses = {"DATABASE_URL": lived_in.owner_url, "REDIS_URL": redis_server.url}
    result = CliRunner().invoke(app, shlex.split(words), env=FILLED_IN | addresses)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 1}, result.output


WITH_SQL = [page for page in PAGES if snippets(page, "sql") and page != FIRST_STEPS]


@pytest.mark.parametrize("page", WITH_SQL, ids=_name)
def test_sql_runs(page: Path, lived_in: Database) -> None:
    with psycopg.connect(dsn(lived_in.owner_url)) as connection:
        for statement in snippets(page, "sql"):
            connection.execute(statement.encode())
        connection.rollback()


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs/README.md"
    named = {
        (index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text("utf-8"))
    }
    assert {page for page in PAGES if page.parent != ROOT} - {index} <= named


def test_the_architecture_lists_the_tables_of_the_fleet(owner_url: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.split("## Tables of the fleet\n", 1)[1].split("\n## ", 1)[0]
    with psycopg.connect(dsn(owner_url)) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'fleet'").fetchall()
    assert sorted(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == sorted(name for (name,) in tables)


def test_sql_names_ids_that_are_ids() -> None:
    for statement in (statement for page in PAGES for statement in snippets(page, "sql")):
        for literal in re.findall(r"(?:token|_id|\bid) = '([^']*)'", statement):
            assert str(UUID(literal)) == literal


def test_the_sandboxs_addresses_and_numbers_are_all_told() -> None:
    page = (ROOT / "docs/development.md").read_text("utf-8")
    section = page.split("## The sandbox\n", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"`\+(\w+)`", section)) == set(TAGS)
    assert set(re.findall(r"`(99\d\d)`", section)) == set(ENDINGS) | set(FAULTY_ENDINGS)
