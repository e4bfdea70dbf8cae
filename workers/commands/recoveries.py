"""``fleet reminders``: what came of reminders, in sum and of one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from db.queries import reminder_figures
from services.notifications import words
from workers.commands.asking import Since, moment
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, console, fail, print_json, uuid_argument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from db.queries.reminder_figures import Reminded, Sent, Share

_HEADINGS = {"number": "by number", "channel": "by channel", "month": "by month"}


def reminders(
    order: Annotated[
        str | None, typer.Argument(metavar="ORDER", help="An order's id; all orders if it is not given.")
    ] = None,
    *,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Tell what came of reminders: sent, followed, paid, and how much was recovered; or of one order, each.

    Example: fleet reminders --since 90d
    """
    begin = moment(since)
    wanted = None if order is None else uuid_argument(order)
    with database() as sessions, sessions() as session:
        if wanted is None:
            shares = reminder_figures.shares(session, begin)
            _tell_shares(shares, as_json=as_json)
            return
        found = reminder_figures.order(session, wanted)
        sent = reminder_figures.of_order(session, wanted, begin)
    if found is None:
        raise fail(f"There is no order {wanted}.", Exit.NO)
    if as_json:
        print_json({"order": found, "reminders": sent})
    else:
        _tell_order(found, sent)


def _tell_shares(shares: Sequence[Share], *, as_json: bool) -> None:
    if as_json:
        print_json(shares)
    elif not shares:
        console.print("No reminder was sent.")
    else:
        console.print(_shares(shares))


def _shares(shares: Sequence[Share]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    table.add_column("reminders")
    for heading in ("sent", "followed", "paid", "recovered"):
        table.add_column(heading, justify="right")
    rows = {by: [share for share in shares if share.by == by] for by in ("all", *_HEADINGS)}
    for by, found in rows.items():
        if by in _HEADINGS:
            table.add_row(_HEADINGS[by], style="dim")
        for share in found:
            counts = (str(share.sent), _part(share.clicked, share.sent), _part(share.paid, share.sent))
            label = "all" if by == "all" else f"  {share.value}"
            table.add_row(Text(label), *counts, _money(share.recovered))
    return table


def _part(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.0f} %)"


def _money(recovered: Mapping[str, int]) -> str:
    return ", ".join(words.money(amount, currency, "en") for currency, amount in sorted(recovered.items()))


def _tell_order(order: Reminded, sent: Sequence[Sent]) -> None:
    price = words.money(order.amount, order.currency, "en")
    console.print(f"{order.product}, {price}, {order.status}", markup=False, highlight=False)
    if order.cancelled_at is not None:
        console.print(f"cancelled {_time(order.cancelled_at)} UTC, after the last reminder")
    if not sent:
        console.print("No reminder of it.")
        return
    table = Table(show_edge=False, box=None, pad_edge=False)
    table.add_column("no.", justify="right")
    for heading in ("what", "sent (UTC)", "channels", "followed", "paid", "session", "by hand"):
        table.add_column(heading, overflow="fold")
    for each in sent:
        table.add_row(
            *map(
                Text,
                (
                    f"{each.number}{' (last)' if each.last else ''}",
                    _what(each),
                    _time(each.sent_at),
                    ", ".join(each.channels) or "-",
                    _time(each.clicked_at),
                    _time(each.paid_at),
                    "\n".join(each.sessions) or "-",
                    f"{each.forced_by}: {each.forced_why}" if each.forced_by else "-",
                ),
            )
        )
    console.print(table)


def _what(each: Sent) -> str:
    if each.state != "CLAIMED":
        return f"{each.state.lower()}{f': {each.reason}' if each.reason else ''}"
    tried = f", {each.tries} tries, last error {each.last_error}" if each.last_error else ""
    return f"{'parked' if each.parked_at else 'under way'}{tried}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Payments")(reminders)
