"""Reminders: what came of them, in sum and of one order; and one sent by hand."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from db.queries import reminder_figures
from services.notifications import words
from services.payments.by_hand import RefusedError
from services.payments.sending import Result
from workers import logs
from workers.commands.asking import Since, Who, moment, somebody
from workers.commands.opened import database
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument
from workers.payments import make_payments
from workers.reminders import make_reminders
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from db.queries.reminder_figures import Reminded, Sent, Share
    from services.payments.by_hand import Considered
    from services.payments.reminding import Reminders

_HEADINGS = {"number": "by number", "channel": "by channel", "month": "by month"}


def reminders(
    order: Annotated[
        str | None, typer.Argument(metavar="ORDER", help="An order's id; all orders if it is not given.")
    ] = None,
    *,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Tell what came of reminders: sent, followed, paid, recovered; or of each reminder of one order."""
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


def remind(
    *,
    order: Annotated[str | None, typer.Option(help="The order to remind of, by its id.")] = None,
    user: Annotated[str | None, typer.Option(help="Or the person, by their id: of the oldest order.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it is too soon, or was often enough.")
    ] = False,
    why: Annotated[str | None, typer.Option(help="Why, for the record. Needed but with --dry-run.")] = None,
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remind of one order now. What is not due is refused, with the reason; --force is recorded.

    Nobody can force what does not wait to be paid.
    """
    if (order is None) == (user is None):
        raise typer.BadParameter("give either --order or --user")
    order_id = None if order is None else uuid_argument(order)
    user_id = None if user is None else uuid_argument(user)
    by = None if dry_run else somebody(who=who, why=why)
    with _reminders() as reminding:
        try:
            if by is None:
                considered, result, detail = reminding.consider(order_id, user_id, force=force), None, ""
            else:
                done = reminding.remind(by, order_id, user_id, force=force)
                considered, result, detail = done.considered, done.result, done.detail
        except RefusedError as error:
            mend = " --force sends it all the same." if error.forcible else ""
            raise fail(f"{error}{mend}", Exit.NO) from None
    if as_json:
        print_json({"dry_run": dry_run, "reminder": considered, "result": result, "detail": detail})
    else:
        _say(considered, result, detail, dry_run=dry_run)
    if result is Result.SKIPPED:
        raise typer.Exit(Exit.NO)
    if by is not None and result is None:
        raise typer.Exit(Exit.AWAY)


@contextmanager
def _reminders() -> Iterator[Reminders]:
    settings = Settings.load()
    logs.configure("ERROR")
    engine = make_engine(settings.database_url.get_secret_value())
    sessions = sessionmaker(engine, expire_on_commit=False)
    try:
        yield make_reminders(settings, sessions, make_payments(settings, sessions).checkouts)
    finally:
        engine.dispose()


def _say(considered: Considered, result: Result | None, detail: str, *, dry_run: bool) -> None:
    price = words.money(considered.amount, considered.currency, "en")
    which = f"reminder {considered.number}{' (the last)' if considered.last else ''} of order"
    told = f"{which} {considered.order_id}: {considered.product}, {price}"
    against = f" Forced against: {', '.join(considered.forced)}." if considered.forced else ""
    if dry_run:
        told = f"Nothing was done. It would be {told}.{against}"
    elif result is Result.SENT:
        told = f"Sent {told}.{against}"
    elif result is Result.SKIPPED:
        told = f"Not sent, {detail}: {told}."
    else:
        reason = f" ({detail})" if detail else ""
        told = f"Not sent yet{reason}, a worker sends it as soon as that is possible: {told}.{against}"
    console.print(told, markup=False, highlight=False)


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
    """Add the commands."""
    told = examples(
        "fleet reminders --since 90d", "fleet reminders 0f8fad5b-d9cb-469f-a165-70867728950e --json"
    )
    app.command(rich_help_panel="Payments", epilog=told)(reminders)
    sent = examples(
        "fleet remind --order 0f8fad5b-d9cb-469f-a165-70867728950e --dry-run",
        'fleet remind --order 0f8fad5b-d9cb-469f-a165-70867728950e --why "asked for by phone"',
    )
    app.command(rich_help_panel="Payments", epilog=sent)(remind)
