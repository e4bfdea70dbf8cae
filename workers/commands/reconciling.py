"""Payments by hand: everything compared with Stripe now, and one order settled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from db.queries import stripe_inbox
from providers.errors import ProviderError
from services.payments.asking import NothingToAskError
from services.payments.words import Learned, Outcome
from workers import logs
from workers.commands.asking import Since, Who, moment, somebody
from workers.commands.output import (
    AsJson,
    DryRun,
    Exit,
    console,
    errors,
    examples,
    fail,
    print_json,
    uuid_argument,
)
from workers.payments import Payments, make_payments
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.payments.reports import Noted, Report
    from services.payments.words import Applied

DONE = frozenset({Outcome.SETTLED, Outcome.ALREADY, Outcome.REFUNDED, Outcome.PARTLY_REFUNDED})
"""Outcomes after which the order is where a payment brings it."""


def reconcile(*, since: Since = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Compare everything with Stripe now: its events, the orders that wait, its payments and refunds.

    As beat does every ten minutes, and with payments and refunds once a day. Several at once do no harm, and
    one that was stopped is gone on with at its page.
    """
    begin = moment(since)
    with _payments(dry_run=dry_run) as (payments, sessions):
        with errors.status("events", spinner="dots") as status:

            def tell(report: Report) -> None:
                status.update(report.line())

            reports = [payments.events.run(_never, since=begin, tell=tell)]
            drained = 0 if dry_run else payments.inbox.run(_never)
            reports.append(payments.orders.run(_never, tell=tell))
            reports.append(payments.daily.run(_never, since=begin, tell=tell))
        with sessions() as session:
            waiting = stripe_inbox.waiting(session)
    if as_json:
        print_json({"dry_run": dry_run, "drained": drained, "waiting": waiting, "reports": reports})
    else:
        _say(reports, drained, waiting, dry_run=dry_run)
    _end(reports)


def settle(
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="An order's id.")],
    *,
    why: Annotated[str | None, typer.Option(help="Why, for the record. Needed but with --dry-run.")] = None,
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask Stripe about an order and bring it to where its payment is, whatever the fleet knows of it."""
    wanted = uuid_argument(order_id)
    by = None if dry_run else somebody(who=who, why=why)
    with _payments(dry_run=dry_run) as (payments, _):
        try:
            applied = payments.cashier.order(wanted, Learned.HAND, by)
        except NothingToAskError as error:
            raise fail(str(error), Exit.NO) from None
        except ProviderError as error:
            raise fail(f"Stripe did not answer: {error.code}. Nothing was changed.", Exit.AWAY) from None
    if as_json:
        print_json({"dry_run": dry_run, "applied": applied})
    else:
        console.print(_told(applied, dry_run=dry_run), markup=False, highlight=False)
    if applied.outcome not in DONE:
        raise typer.Exit(Exit.NO)


@contextmanager
def _payments(*, dry_run: bool) -> Iterator[tuple[Payments, sessionmaker[Session]]]:
    settings = Settings.load()
    logs.configure("ERROR")
    engine = make_engine(settings.database_url.get_secret_value())
    sessions = sessionmaker(engine, expire_on_commit=False)
    try:
        yield make_payments(settings, sessions, dry_run=dry_run), sessions
    finally:
        engine.dispose()


def _say(reports: Sequence[Report], drained: int, waiting: int, *, dry_run: bool) -> None:
    if dry_run:
        console.print("A dry run: Stripe was asked, and nothing was written. It would be:")
    for report in reports:
        console.print(report.line(), markup=False, highlight=False)
    if drained or waiting:
        rest = f"; {waiting} wait, and the workers go on with them" if waiting else ""
        console.print(f"inbox: {drained} events worked off{rest}", highlight=False)
    noted = [each for report in reports for each in report.noted if dry_run or report.sweep != "events"]
    if noted:
        console.print(_table(noted))
    if any(report.found for report in reports):
        console.print("What does not agree is told by fleet findings.")


def _table(noted: Sequence[Noted]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("at Stripe", "order", "what became of it"):
        table.add_column(heading, overflow="fold")
    for each in noted:
        table.add_row(each.id, str(each.order_id or "-"), each.said)
    return table


def _told(applied: Applied, *, dry_run: bool) -> str:
    would = "a dry run, nothing was written; it would be " if dry_run else ""
    return f"{would}{applied.outcome}{f': {applied.detail}' if applied.detail else ''}"


def _end(reports: Sequence[Report]) -> None:
    stopped = [f"{report.sweep}: {report.stopped}" for report in reports if report.stopped]
    if stopped:
        told = "The next run goes on where this one stopped. Is STRIPE_SECRET_KEY right?"
        raise fail(f"Stripe did not answer to the end ({', '.join(stopped)}). {told}", Exit.AWAY)
    busy = [report.sweep for report in reports if report.busy]
    if busy:
        errors.print(f"Another is at {', '.join(busy)}; that was left to it.", highlight=False)
        raise typer.Exit(Exit.NO)


def _never() -> bool:
    return False


def register(app: typer.Typer) -> None:
    """Add the commands."""
    compared = examples("fleet reconcile", "fleet reconcile --since 2d --dry-run")
    app.command(rich_help_panel="Payments", epilog=compared)(reconcile)
    settled = examples(
        "fleet settle 0f8fad5b-d9cb-469f-a165-70867728950e --dry-run",
        'fleet settle 0f8fad5b-d9cb-469f-a165-70867728950e --why "the client says that they have paid"',
    )
    app.command(rich_help_panel="Payments", epilog=settled)(settle)
