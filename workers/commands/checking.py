"""``fleet check``: is anything wrong, for monitors that read exit codes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from db.queries import figures
from schedules.timetable import timetable
from workers.clock import utc_now
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, examples, print_json
from workers.settings import Settings
from workers.troubles import troubles

if TYPE_CHECKING:
    from workers.troubles import Trouble


def check(*, as_json: AsJson = False) -> None:
    """Tell what is wrong with the fleet's work, one line each, by the conditions of the alerts.

    Exits with 0 where nothing is, 1 where something is, 2 with wrong settings, and 3 where the database does
    not answer. To Nagios these are OK, WARNING, CRITICAL and UNKNOWN.
    """
    settings = Settings.load()
    now = utc_now()
    with database() as sessions, sessions.begin() as session:
        found = figures.take(session, now)
    wrong = troubles(
        found,
        now,
        timetable(settings.reminder_time),
        settings.health_max_age_seconds,
        settings.poll_share_warning,
    )
    if as_json:
        print_json([asdict(each) | {"runbook": each.runbook} for each in wrong])
    else:
        for line in map(_line, wrong):
            typer.echo(line)
        if not wrong:
            typer.echo("Nothing is wrong.")
    if wrong:
        raise typer.Exit(Exit.NO)


def _line(trouble: Trouble) -> str:
    about = f" {trouble.about}" if trouble.about else ""
    return f"{trouble.alert}{about}: {trouble.told}; {trouble.runbook}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples("fleet check", "fleet check --json")
    app.command(rich_help_panel="Look", epilog=shown)(check)
