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
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, console, fail, print_json, uuid_argument
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
    """List the addresses that are not to be written to, the newest first, made unreadable but for their ends.

    Example: fleet suppressions --address camille@example.com
    """
    with database() as sessions, sessions() as session:
        found = suppressions.find(session, address=_address(address) if address else None)
    shown = found if address else [replace(each, address=masked(each.address)) for each in found]
    if as_json:
        print_json(shown)
    else:
        console.print(_table(shown))


def suppress(
    channel: Annotated[str, typer.Argument(help="EMAIL, SMS or WHATSAPP.")],
    address: Annotated[str, typer.Argument(help="An e-mail address, or a number such as +33639980000.")],
    *,
    why: Annotated[str, typer.Option(help="Why, for the record.")],
    who: Who = None,
) -> None:
    """Write to an address no more, until somebody lifts it by hand."""
    name, key, by, now = _channel(channel), _address(address), somebody(who=who, why=why), utc_now()
    with database() as sessions, sessions.begin() as session:
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
    console.print(f"Suppressed as {made[0]}.")


def unsuppress(
    meant: Annotated[str, typer.Argument(metavar="ID|ADDRESS", help="As fleet suppressions shows it.")],
    *,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
) -> None:
    """Let an address be written to again. Says first what would be lifted.

    The providers keep lists of their own: an address stays on theirs until it is taken off there.

    Example: fleet unsuppress camille@example.com --why "the mailbox is back" --yes
    """
    some_id, key = (None, _address(meant)) if {"@", "+"} & {*meant} else (uuid_argument(meant), None)
    with database() as sessions:
        with sessions() as session:
            found = _in_force(suppressions.find(session, address=key, some_id=some_id))
        if not found:
            raise fail("No suppression in force is meant by that.", Exit.NO)
        console.print(_table([replace(each, address=masked(each.address)) for each in found]))
        by = agreed(yes=yes, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            lifted = suppressions.lift(session, [each.id for each in found], by.who, by.why, utc_now())
            interventions.record(session, by, "unsuppress", {}, lifted)
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
    app.command("suppressions", rich_help_panel="Look")(list_suppressions)
    for command in (suppress, unsuppress):
        app.command(rich_help_panel="By hand")(command)
