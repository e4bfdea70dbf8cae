"""``fleet db check``, ``harden`` and ``role``: is the database as it should be, closed, and whose."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import psycopg.errors
import typer
from rich.table import Table
from sqlalchemy.exc import OperationalError

from db import check as checking
from db import harden as hardening
from db import role as roles
from db.engine import make_engine
from workers.commands.output import AsJson, DryRun, Exit, console, errors, examples, fail, print_json
from workers.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from db.check import Finding


def check(*, as_json: AsJson = False) -> None:
    """Compare the database with what the code expects, and name where clients can do too much.

    Changes nothing. Exits with 1 where there is drift or a hole.
    """
    with _connection() as connection:
        findings = checking.check(connection)
    if as_json:
        print_json(findings)
    else:
        _show(findings)
    if any(finding.kind != "information" for finding in findings):
        raise typer.Exit(Exit.NO)


def harden(
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close the holes that fleet db check names.

    Read docs/security.md first: what the application does through them fails afterwards.
    """
    try:
        with _connection() as connection:
            taken = hardening.harden(connection, dry_run=dry_run)
    except ValueError as error:
        raise fail(str(error), Exit.NO) from None
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise fail(
                "A table was in use for too long; nothing was changed. Run it again.", Exit.NO
            ) from None
        raise
    if as_json:
        print_json({"dry_run": dry_run, "measures": taken})
        return
    for measure in taken:
        console.print(measure, markup=False, highlight=False)
    if not taken:
        console.print("nothing to do")


def role(
    name: Annotated[str, typer.Argument(help="The role's name, such as fleet_worker.")],
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read its password from standard input.")
    ] = False,
    print_sql: Annotated[bool, typer.Option("--print-sql", help="Print the SQL and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a login role that may do what the fleet's processes need and nothing more, or bring it up to date.

    Exits with 1 where something is left that only the owner of auth.users can grant.
    """
    if password_stdin and print_sql:
        raise fail("--print-sql prints no password: set it where the SQL is run.", Exit.USAGE)
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    if password is not None and not password:
        raise fail("Standard input is empty: pipe the password in.", Exit.USAGE)
    try:
        with _connection() as connection:
            if print_sql:
                typer.echo(roles.script(connection, name), nl=False)
                return
            outcome = roles.create(connection, name, password)
    except roles.RoleError as error:
        raise fail(str(error), Exit.USAGE) from None
    if as_json:
        print_json(outcome)
    else:
        for line in outcome.done:
            console.print(line, markup=False, highlight=False)
    if outcome.left:
        _tell_what_is_left(outcome.left)
        raise typer.Exit(Exit.NO)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("fleet db check", "fleet db check --json"))(check)
    app.command(epilog=examples("fleet db harden --dry-run", "fleet db harden"))(harden)
    made = examples("fleet db role fleet_worker --print-sql", "fleet db role fleet_worker --password-stdin")
    app.command(epilog=made)(role)


@contextmanager
def _connection() -> Iterator[Connection]:
    engine = make_engine(DatabaseSettings.load().database_url.get_secret_value(), pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _show(findings: list[Finding]) -> None:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("kind", "object", "what", "mend"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(finding.kind, finding.object, finding.what, finding.mend)
    console.print(table, markup=False)
    amiss = sum(finding.kind != "information" for finding in findings)
    console.print(f"{amiss} to mend" if amiss else "as expected, and closed")


def _tell_what_is_left(statements: list[str]) -> None:
    errors.print(
        "The role can't read e-mail addresses yet: auth.users belongs to another role. As that one (on "
        "Supabase: postgres in the SQL editor, or supabase_auth_admin), run:",
        style="bold red",
    )
    for statement in statements:
        errors.print(f"  {statement};", markup=False, highlight=False)
