"""Addresses that are not to be written to: listed, and suppressed or lifted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import interventions, suppressions
from db.queries.suppressions import Wish
from services.notifications import phones
from services.notifications.consent import ASKED
from workers.clock import utc_now
from workers.commands.asking import Who, Why, Yes, agreed, somebody
from workers.commands.completing import one_of
from workers.commands.opened import database, rehearsed
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument
from workers.masking import masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.queries.suppressions import Suppressed

BY_HAND = "BY_HAND"


def list_suppressions(
    *,
    address: Annotated[
        str | None, typer.Option(help="Of this address alone, those that were lifted as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the addresses that are not to be written to, the newest first.

    They are made unreadable but for their ends.
    """
    with database() as sessions, sessions() as session:
        found = suppressions.find(session, address=_address(address) if address else None)
    shown = found if address else [replace(each, address=masked(each.address)) for each in found]
    if as_json:
        print_json(shown)
    else:
        console.print(_table(shown))


def suppress(
    channel: Annotated[
        str, typer.Argument(help=f"One of {', '.join(sorted(ASKED))}.", autocompletion=one_of(sorted(ASKED)))
    ],
    address: Annotated[str, typer.Argument(help="An e-mail address, or a number such as +33639980000.")],
    *,
    why: Annotated[str, typer.Option(help="Why, for the record.")],
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write to an address no more, until somebody lifts it by hand."""
    name, key, by, now = _channel(channel), _address(address), somebody(who=who, why=why), utc_now()
    with database() as sessions, rehearsed(sessions, dry_run=dry_run) as session:
        known = {each.id for each in _in_force(suppressions.find(session, address=key), name)}
        suppressions.heed(session, [Wish(name, key, BY_HAND, by.who, now)])
        made = [
            each.id
            for each in _in_force(suppressions.find(session, address=key), name)
            if each.id not in known
        ]
        if made:
            interventions.record(session, by, "suppress", {"channel": name}, made)
    if not made:
        raise fail("That address is suppressed there already.", Exit.NO)
    if as_json:
        print_json({"dry_run": dry_run, "suppressed": [] if dry_run else made})
    else:
        console.print("Nothing was done. It would be suppressed." if dry_run else f"Suppressed as {made[0]}.")


def unsuppress(
    meant: Annotated[str, typer.Argument(metavar="ID|ADDRESS", help="As fleet suppressions shows it.")],
    *,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an address be written to again. Says first what would be lifted.

    The providers keep lists of their own: an address stays on theirs until it is taken off there.
    """
    some_id, key = (None, _address(meant)) if {"@", "+"} & {*meant} else (uuid_argument(meant), None)
    with database() as sessions:
        with sessions() as session:
            found = _in_force(suppressions.find(session, address=key, some_id=some_id))
        if not found:
            raise fail("No suppression in force is meant by that.", Exit.NO)
        shown = [replace(each, address=masked(each.address)) for each in found]
        if as_json and (dry_run or not yes):
            print_json({"dry_run": True, "lift": shown})
            return
        if not as_json:
            console.print(_table(shown))
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            lifted = suppressions.lift(session, [each.id for each in found], by.who, by.why, utc_now())
            interventions.record(session, by, "unsuppress", {}, lifted)
    if as_json:
        print_json({"dry_run": False, "lifted": lifted})
    else:
        console.print(f"{len(lifted)} lifted.")


def _in_force(found: Sequence[Suppressed], channel: str | None = None) -> list[Suppressed]:
    return [each for each in found if each.lifted_at is None and channel in {None, each.channel}]


def _channel(given: str) -> str:
    if given.upper() not in ASKED:
        raise typer.BadParameter(f"no such channel: {given}; there are {', '.join(sorted(ASKED))}")
    return given.upper()


def _address(given: str) -> str:
    """As addresses are kept: e-mail in lower case, numbers in their international form."""
    if "@" in given:
        return given.strip().lower()
    try:
        if given.strip().startswith("+"):
            return phones.e164(given, "FR")  # the country is in the number
    except phones.UnreadableNumberError:
        pass
    raise typer.BadParameter("give an e-mail address, or a number with its country, such as +33639980000")


def _table(found: Sequence[Suppressed]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("since (UTC)", "id", "channel", "address", "reason", "source", "lifted (UTC)"):
        table.add_column(heading, overflow="fold")
    for s in found:
        lifted = f"{s.lifted_at:%Y-%m-%d %H:%M} by {s.lifted_by}: {s.lifted_why}" if s.lifted_at else "-"
        row = (f"{s.since:%Y-%m-%d %H:%M:%S}", str(s.id), s.channel, s.address, s.reason, s.source, lifted)
        table.add_row(*row)
    return table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    listed = examples("fleet suppressions", "fleet suppressions --address camille@example.com")
    app.command("suppressions", rich_help_panel="Look", epilog=listed)(list_suppressions)
    made = examples('fleet suppress SMS +33639980000 --why "asked by phone"')
    app.command(rich_help_panel="By hand", epilog=made)(suppress)
    lifted = examples('fleet unsuppress camille@example.com --why "the mailbox is back" --yes')
    app.command(rich_help_panel="By hand", epilog=lifted)(unsuppress)
