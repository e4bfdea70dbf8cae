"""``fleet findings``: what does not agree between the platform and Stripe, listed, shown and resolved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from db.queries import findings
from services.payments.words import FindingKind  # noqa: TC001 - read by Typer
from workers import steering
from workers.clock import utc_now
from workers.commands.asking import Who, Why, Yes, agreed
from workers.commands.opened import database
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.queries.findings import FindingRow

app = typer.Typer(help="What does not agree between the platform and Stripe: listed, shown, resolved.")

Id = Annotated[str, typer.Argument(metavar="ID", help="A finding's id, as the list shows it.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples("fleet findings", "fleet findings --kind AMOUNT_MISMATCH --json"),
)
def list_findings(
    context: typer.Context,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those that are resolved as well.")] = False,
    kind: Annotated[FindingKind | None, typer.Option(case_sensitive=False, help="Only of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the findings that nobody has resolved, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with database() as sessions, sessions() as session:
        found = findings.listing(session, not all_, kind, limit)
    if as_json:
        print_json(found)
    else:
        console.print(_table(found))


@app.command(epilog=examples("fleet findings show 0f8fad5b-d9cb-469f-a165-70867728950e"))
def show(finding: Id, *, as_json: AsJson = False) -> None:
    """Show all that is known of a finding."""
    wanted = uuid_argument(finding)
    with database() as sessions, sessions() as session:
        found = findings.one(session, wanted)
    if found is None:
        raise fail(f"There is no finding {wanted}.", Exit.NO)
    if as_json:
        print_json(found)
    else:
        console.print(_whole(found))


@app.command(
    epilog=examples(
        'fleet findings resolve 0f8fad5b-d9cb-469f-a165-70867728950e --why "refunded by hand" --yes'
    )
)
def resolve(
    finding: Id,
    *,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Call a finding resolved, with a note of why. Shows it first. At Stripe nothing is changed.

    It stays resolved if it is seen again.
    """
    wanted = uuid_argument(finding)
    with database() as sessions:
        with sessions() as session:
            found = findings.one(session, wanted)
        if found is None:
            raise fail(f"There is no finding {wanted}.", Exit.NO)
        if found.resolved_at is not None:
            raise fail(f"{wanted} is resolved already, by {found.resolved_by}: {found.note}", Exit.NO)
        if as_json and (dry_run or not yes):
            print_json({"dry_run": True, "resolve": found})
            return
        if not as_json:
            console.print(_whole(found))
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            done = steering.resolve(session, found, by, utc_now())
    if not done:
        raise fail(f"{wanted} has just been resolved by somebody else.", Exit.NO)
    if as_json:
        print_json({"dry_run": False, "resolved": wanted})
    else:
        console.print(f"{wanted} is resolved.")


def _table(found: Sequence[FindingRow]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("found (UTC)", "id", "kind", "about", "done", "resolved"):
        table.add_column(heading, overflow="fold")
    for f in found:
        row = (f"{f.found_at:%Y-%m-%d %H:%M:%S}", str(f.id), f.kind, f.subject, f.done, _resolved(f))
        table.add_row(*map(Text, row))
    return table


def _whole(finding: FindingRow) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in (
        ("id", str(finding.id)),
        ("kind", finding.kind),
        ("about", finding.subject),
        ("order", str(finding.order_id or "-")),
        ("found", f"{finding.found_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("seen last", f"{finding.seen_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("done", finding.done),
        ("resolved", _resolved(finding)),
        *((f"  {name}", _plain(value)) for name, value in sorted(finding.details.items())),
    ):
        table.add_row(name, Text(value))
    return table


def _resolved(finding: FindingRow) -> str:
    if finding.resolved_at is None:
        return "-"
    return f"{finding.resolved_at:%Y-%m-%d %H:%M} by {finding.resolved_by}: {finding.note}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def register(fleet: typer.Typer) -> None:
    """Add the group."""
    fleet.add_typer(app, name="findings", rich_help_panel="Payments")
