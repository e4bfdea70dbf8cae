"""``fleet db downgrade``: take the fleet off, and the platform's tables back to v1 where nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from db import migrate, removal, revisions
from db.locks import BusyError
from db.progress import quiet
from db.recognise import Kind
from db.v1.losses import Loss, LossError
from workers.commands.output import AsJson, DryRun, Exit, console, errors, examples, fail, print_json
from workers.commands.progress import progress
from workers.settings import DatabaseSettings

if TYPE_CHECKING:
    from db.progress import Progress

To = Annotated[
    str,
    typer.Argument(
        help="v2: the platform without the fleet. v1: its tables as before their upgrade, too. "
        "Or a revision such as 0001_platform_v2."
    ),
]


@dataclass(slots=True)
class Plan:
    """What a downgrade would do.

    Attributes:
        database: What the database is; at the end, what it has become.
        to: Where it is to end.
        needed: Whether there is anything to do.
        lost: What of the fleet's own goes for good, and how much of it.
        refused: What of the platform's would go, and keeps the downgrade from being done.
    """

    database: str
    to: str
    needed: bool = True
    lost: dict[str, int] = field(default_factory=dict)
    refused: list[Loss] = field(default_factory=list)


def downgrade(
    to: To = "v2",
    *,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the fleet off the database without a trace. Says what is lost, and asks first.

    The platform's tables stay. To v1 it refuses while they hold what v1 has no place for, and lists it. The
    revision base drops them, where none of them has a row.
    """
    url = DatabaseSettings.load().database_url.get_secret_value()
    if to not in {"v1", "v2", "base", *revisions.known()}:
        raise fail(f"There is no revision {to}; there are {', '.join(revisions.known())}.", Exit.USAGE)
    plan = _plan(url, to)
    if plan.needed and not plan.refused:
        _announce(plan)
        if not dry_run:
            if not yes:
                typer.confirm("Go on?", abort=True, err=True)
            _go(url, plan, as_json=as_json)
    if as_json:
        print_json(plan)
    elif not plan.refused:
        console.print(f"The database is {plan.database}.", highlight=False)
    else:
        _refuse(plan)
    if plan.refused:
        raise typer.Exit(Exit.NO)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("fleet db downgrade v2 --dry-run", "fleet db downgrade v1"))(downgrade)


def _plan(url: str, to: str) -> Plan:
    found = migrate.look(url)
    plan = Plan(found.title, to)
    if to == "v1":
        plan.needed = found.kind is not Kind.V1 or found.interrupted
        if plan.needed and found.kind not in removal.V2:
            raise fail(f"The database is {found.title}; only one of v2 goes back to v1.", Exit.NO)
    else:
        plan.needed = found.revision is not None
    if not plan.needed:
        return plan
    plan.lost = removal.losses(url, to_v1=to == "v1")
    if to == "v1":
        plan.refused = removal.v1_losses(url)
    elif to == "base":
        plan.refused = [
            Loss(table, rows, "base drops the platform's tables") for table, rows in removal.rows(url).items()
        ]
    return plan


def _go(url: str, plan: Plan, *, as_json: bool) -> None:
    try:
        if as_json:
            _run(url, plan.to, quiet)
        else:
            with progress() as tell:
                _run(url, plan.to, tell)
    except LossError as error:  # written since the plan was made
        plan.refused = error.losses
    except (BusyError, removal.InUseError) as error:
        raise fail(str(error), Exit.NO) from error
    plan.database = migrate.look(url).title


def _run(url: str, to: str, tell: Progress) -> None:
    if to == "v1":
        removal.back_to_v1(url, tell)
    elif to == "v2":
        removal.remove(url, tell)
    else:
        migrate.downgrade(url, to, tell)


def _announce(plan: Plan) -> None:
    what = {
        "v2": "The fleet is taken off the database",
        "v1": "The fleet is taken off the database, and the platform's tables go back to v1",
    }.get(plan.to, f"The database goes back to {plan.to}")
    lost = ", ".join(f"{count:,} {each}" for each, count in plan.lost.items())
    errors.print(
        f"{what}. Lost for good: {lost or 'nothing'}. What fleet db harden has closed opens again.",
        markup=False,
        highlight=False,
    )


def _refuse(plan: Plan) -> None:
    for line in (
        f"The database is {plan.database}. Nothing was changed: going to {plan.to} would lose",
        *(f"  {each}" for each in plan.refused),
    ):
        errors.print(line, markup=False, highlight=False)
