"""``fleet db``: tell what a database is, put the fleet on it or take it off, and fill a new one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db import migrate, reference
from db.engine import make_engine
from db.locks import BusyError
from db.migrate import NotRecognisedError
from db.pooling import PooledError
from db.recognise import Kind
from db.seed import seed as add_seed
from workers.commands import downgrading, hardening
from workers.commands.opened import database, rehearsed
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json
from workers.commands.progress import progress
from workers.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.recognise import Recognition
    from db.v1 import Report

app = typer.Typer(help="The database: schema and first data.", no_args_is_help=True)

Revision = Annotated[str, typer.Argument(help="Where to end; head is the newest.")]


def _url() -> str:
    return DatabaseSettings.load().database_url.get_secret_value()


@app.command(epilog=examples("fleet db status", "fleet db status --json"))
def status(*, as_json: AsJson = False) -> None:
    """Tell which of the platform's databases this is, and what an upgrade would do. Changes nothing.

    Exits with 1 where the fleet can't be put on it.
    """
    found = migrate.look(_url())
    known = found.kind is not Kind.UNKNOWN
    steps = migrate.steps(found) if known else []
    if as_json:
        print_json(
            {
                "kind": found.kind,
                "title": found.title,
                "revision": found.revision,
                "upgrade": steps,
                "additions": found.additions,
                "obstacles": found.obstacles,
            }
        )
    else:
        _show(found, steps)
    if not known:
        raise typer.Exit(Exit.NO)


@app.command(epilog=examples("fleet db upgrade --dry-run", "fleet db upgrade"))
def upgrade(
    revision: Revision = "head",
    *,
    dry_run: DryRun = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL that would run, and end.")] = False,
) -> None:
    """Put the fleet on an empty database, one of v1 or one of v2, or bring it up to date where it is already.

    Safe to run twice, by two people at once (the second waits), and again after it was interrupted.
    """
    url = _url()
    with _refusals():
        found = migrate.look(url)
        if sql:
            typer.echo(migrate.script(found, revision), nl=False)
            return
        steps = migrate.steps(found, revision)
        if dry_run or not steps:
            _show(found, steps)
            return
        console.print(f"The database is {found.title}.", highlight=False)
        with progress() as tell:
            report = migrate.upgrade(url, revision, tell)
        if report:
            _show_report(report)
        console.print(f"The database is {migrate.look(url).title}.", highlight=False)


@app.command(epilog=examples("fleet db current"))
def current(*, as_json: AsJson = False) -> None:
    """Tell the revision that the database is at."""
    revision = migrate.look(_url()).revision
    if as_json:
        print_json({"revision": revision})
    else:
        console.print(revision or "no revision: the fleet has not been put on this database")


@app.command(epilog=examples("fleet db seed --dry-run", "fleet db seed"))
def seed(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add the platform's products, steps and document types, where they are missing."""
    with database() as sessions, rehearsed(sessions, dry_run=dry_run) as session:
        added = add_seed(session)
    if as_json:
        print_json({"dry_run": dry_run, "added": added})
    else:
        would = "Nothing was done. It would be " if dry_run else ""
        console.print(would + ", ".join(f"{count} {table}" for table, count in added.items()) + " added")


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in one readable message why nothing was changed."""
    try:
        yield
    except NotRecognisedError as error:
        _show(error.recognition, [])
        raise fail("Nothing was changed.", Exit.NO) from error
    except (BusyError, PooledError, TimeoutError) as error:
        raise fail(str(error), Exit.NO) from error


def _show(found: Recognition, steps: list[str]) -> None:
    lines = [f"The database is {found.title}."]
    for heading, each in (
        ("Missing, different or in the way:", found.obstacles),
        ("Beyond v2, and left as it is:" if found.kind is not Kind.V1 else "Beyond v1:", found.additions),
        ("An upgrade would:", steps),
    ):
        if each:
            lines += [heading, *(f"  {line}" for line in each)]
    if not steps and found.kind is not Kind.UNKNOWN:
        lines.append("Nothing to do.")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show_report(report: Report) -> None:
    columns = ("table", "rows before", "made", "set aside", "rows after", "filled by rule")
    table = Table(*columns, title=f"From v1 to v2 in {report.seconds:.0f} s")
    for each in report.tables:
        counts = (each.before, each.made, each.set_aside, each.after)
        table.add_row(each.name, *(f"{count:,}" for count in counts), _counted(each.filled))
    console.print(table)
    if any(each.set_aside for each in report.tables):
        console.print("What no rule could fill is in fleet.set_aside, each row with its reason.")
    if report.unknown_steps:
        console.print(f"{report.unknown_steps:,} dossiers had a current step that does not exist; now none.")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


@app.command(name="reference", epilog=examples("fleet db reference"))
def write_reference() -> None:
    """Write the entity diagram and the table reference of this database, as Markdown."""
    engine = make_engine(_url(), pool_size=1)
    try:
        with engine.connect() as connection:
            typer.echo(reference.write(connection), nl=False)
    finally:
        engine.dispose()


downgrading.register(app)
hardening.register(app)


def register(fleet: typer.Typer) -> None:
    """Add the group."""
    fleet.add_typer(app, name="db", rich_help_panel="Database")
