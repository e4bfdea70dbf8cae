"""``fleet gdpr``: give a person's data out, and erase them."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - read by Typer
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.notifications import export as exporting
from services.notifications.erasure import KEPT_FOR_ACCOUNTING, PLATFORMS_OWN, NamesThePersonError
from workers.clock import utc_now
from workers.commands.asking import Who, Why, Yes, agreed
from workers.commands.opened import database
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument
from workers.commands.progress import progress
from workers.erasing import make_eraser
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from services.notifications.erasure import Erased

app = typer.Typer(help="A person's data: given out, and erased.", no_args_is_help=True)

User = Annotated[str, typer.Argument(metavar="USER", help="The person's id in the platform's profiles.")]


@app.command(epilog=examples("fleet gdpr export 0f8fad5b-d9cb-469f-a165-70867728950e --out person.json"))
def export(
    user: User,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Write to this new file, readable by you alone; else to the output.")
    ] = None,
) -> None:
    """Write all that the fleet and the platform's notification tables hold about a person, as JSON."""
    wanted, settings = uuid_argument(user), Settings.load()
    with database() as sessions, sessions() as session:
        pieces = exporting.document(session, wanted, settings.phone_region, utc_now())
        if out is None:
            _write(sys.stdout, pieces)
            return
        try:
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise fail(f"{out} can't be made: {error.strerror}. Name a new file.", Exit.USAGE) from None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _write(file, pieces)
        except BaseException:
            out.unlink()
            raise
    console.print(f"written to {out}", markup=False)


@app.command(epilog=examples("fleet gdpr schema"))
def schema() -> None:
    """Print the JSON Schema of what ``export`` writes."""
    print_json(exporting.schema())


@app.command(
    epilog=examples(
        "fleet gdpr erase 0f8fad5b-d9cb-469f-a165-70867728950e",
        'fleet gdpr erase 0f8fad5b-d9cb-469f-a165-70867728950e --why "asked for by mail" --yes',
    )
)
def erase(
    user: User,
    *,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person: here, and at the providers that can be asked to. Says first how much of what.

    Without --yes nothing is changed. It may be run again at any time, and does then what is left. Erase the
    person in the platform afterwards: what belongs to the platform alone is named.
    """
    wanted, settings = uuid_argument(user), Settings.load()
    with database() as sessions:
        eraser = make_eraser(settings, sessions)
        planned = eraser.plan(wanted)
        if planned.nothing and not planned.known:
            raise fail(f"Neither the platform nor the fleet knows a person {wanted}.", Exit.NO)
        if as_json and (planned.nothing or dry_run or not yes):
            print_json({"dry_run": True, "erase": planned})
            return
        if not as_json:
            _show(planned)
        if planned.nothing:
            console.print("Nothing is left to erase.")
            return
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        try:
            with progress() as tell:
                erased = eraser.erase(wanted, by, tell)
        except NamesThePersonError as error:
            raise fail(f"Nothing was done: {error}.", Exit.USAGE) from None
    if as_json:
        print_json({"dry_run": False, "erased": erased})
    else:
        _tell(erased)
    if erased.failed or erased.under_way or erased.events_left:
        raise typer.Exit(Exit.NO)


def _write(file: TextIO, pieces: Iterable[str]) -> None:
    file.writelines(pieces)


def _show(planned: Erased) -> None:
    table = Table(show_edge=False, box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("rows", justify="right")
    for name, count in planned.rows.items():
        if count:
            table.add_row(name, str(count))
    for provider, count in planned.at_providers.items():
        table.add_row(f"messages at {provider}", str(count))
    console.print(table)
    _tell_what_stays(planned)


def _tell_what_stays(erased: Erased) -> None:
    for provider, count in erased.beyond_reach.items():
        console.print(f"At {provider}, not the fleet's to erase: {count} messages. They run out there.")
    if erased.events_left:
        console.print(
            f"{erased.events_left} events keep their payload: fleet db harden makes the door for that.",
            style="yellow",
        )
    console.print(f"Kept for accounting: {', '.join(KEPT_FOR_ACCOUNTING)}.")
    if erased.known:
        console.print(f"The platform's own, erase there: {', '.join(PLATFORMS_OWN)}.")


def _tell(erased: Erased) -> None:
    console.print(f"Erased. Providers delete {erased.deleted} messages.")
    console.print("What they still tell of them comes in anew: run it once more in a few days.")
    for code, count in erased.failed.items():
        console.print(f"{count} they would not ({code}): run it again later.", style="yellow", markup=False)
    if erased.under_way:
        console.print(
            f"{erased.under_way} sends were under way: run it again in a few minutes.", style="yellow"
        )


def register(fleet: typer.Typer) -> None:
    """Add the group."""
    fleet.add_typer(app, name="gdpr", rich_help_panel="People")
