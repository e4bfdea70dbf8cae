"""``fleet settings``: what is set and where it comes from, and the reference of all there is to set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from workers.commands.output import AsJson, Exit, console, errors, examples, fail, print_json
from workers.settings import page, shown

if TYPE_CHECKING:
    from workers.settings.shown import Report, Unknown

app = typer.Typer()


@app.callback(invoke_without_command=True, epilog=examples("fleet settings", "fleet settings --json"))
def settings(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it comes from; of secrets, only whether they are set.

    Warns of names that begin with FLEET_ and are no setting. Exits with 2 where one is missing or malformed.
    """
    if context.invoked_subcommand is not None:
        return
    report = shown.report()
    if as_json:
        print_json({"settings": report.settings, "unknown": report.unknown})
    else:
        console.print(_table(report))
    for name in report.unknown:
        errors.print(_warning(name), style="yellow", markup=False, highlight=False)
    if report.refusal is not None:
        raise fail(str(report.refusal), Exit.USAGE)


@app.command(epilog=examples("fleet settings reference > docs/configuration.md"))
def reference() -> None:
    """Print the reference of all settings, as it is in the docs."""
    typer.echo(page.reference(), nl=False)


@app.command(epilog=examples("fleet settings example > .env.example"))
def example() -> None:
    """Print an .env to be filled in."""
    typer.echo(page.example(), nl=False)


def _table(report: Report) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    styles = {"default": "dim", "missing": "bold red"}
    for each in report.settings:
        table.add_row(each.name, Text(each.value or "-"), each.source, style=styles.get(each.source))
    return table


def _warning(unknown: Unknown) -> str:
    hint = f"; is {unknown.nearest} meant?" if unknown.nearest else ""
    return f"{unknown.name} ({unknown.source}) is no setting{hint}"


def register(fleet: typer.Typer) -> None:
    """Add the group."""
    fleet.add_typer(app, name="settings", rich_help_panel="Look")
