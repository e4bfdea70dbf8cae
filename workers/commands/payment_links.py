"""``fleet links``: payment links, listed without their secrets, and made by hand."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import payment_links
from services.notifications import subject, words
from services.payments.links import Offer, PaymentLinks, RefusedError, address
from workers.clock import utc_now
from workers.commands.asking import Who, Why, Yes, agreed
from workers.commands.opened import database
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json
from workers.masking import masked
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.queries.payment_links import ListedLink

app = typer.Typer(help="Payment links: listed, and made by hand.")


class State(StrEnum):
    """What became of a link."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


@app.callback(
    invoke_without_command=True, epilog=examples("fleet links --state open", "fleet links --limit 10 --json")
)
def list_links(
    context: typer.Context,
    *,
    state: Annotated[State | None, typer.Option(help="Those alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List payment links, the newest first: neither the links themselves nor whole addresses are shown."""
    if context.invoked_subcommand is not None:
        return
    with database() as sessions, sessions() as session:
        wanted = state.name if state else None
        found = payment_links.listing(session, wanted, limit, utc_now())
    if as_json:
        print_json([_row(link) for link in found])
    else:
        console.print(_table(found))


@app.command(
    epilog=examples(
        "fleet links create LLC_FORMATION camille@example.com",
        'fleet links create LLC_FORMATION camille@example.com --days 7 --why "asked by phone" --yes',
    )
)
def create(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="A product's code.")],
    email: Annotated[str, typer.Argument(help="The prospect's e-mail address.")],
    *,
    name: Annotated[str | None, typer.Option(help="The prospect's name, for the greeting.")] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it may be used.")] = 30,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a payment link, have it mailed to the prospect, and print it: whoever has it can use it, once.

    Says first what would be made.
    """
    settings = Settings.load()
    try:
        recipient = address(email)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    called = " ".join((name or "").split()) or None
    with database() as sessions:
        links = PaymentLinks(
            sessions,
            utc_now,
            settings.payment_link_path,
            settings.payment_link_reminder_days,
            settings.mail_payment_links,
        )
        try:
            offer = links.offer(product, recipient, called, days, None)
            if not as_json:
                _say(offer)
            elif dry_run or not yes:
                print_json(_told(offer, None))
                return
            by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
            if by is None:
                return
            offer = links.offer(product, recipient, called, days, by)
        except RefusedError as error:
            raise fail(str(error), Exit.NO) from None
    url = subject.absolute(str(settings.app_url), offer.page)
    if as_json:
        print_json(_told(offer, url))
    else:
        console.print(f"Made as {offer.link_id}. It is {'' if offer.mailed else 'not '}mailed by the fleet.")
        typer.echo(url)


def _told(offer: Offer, url: str | None) -> dict[str, object]:
    return {
        "id": offer.link_id,
        "url": url,
        "product": offer.product.code,
        "amount": offer.product.amount,
        "currency": offer.product.currency,
        "email": offer.email,
        "expires_at": offer.expires_at,
        "mailed": offer.mailed,
    }


def _say(offer: Offer) -> None:
    price = words.money(offer.product.amount, offer.product.currency, "en")
    until = f"{offer.expires_at:%Y-%m-%d %H:%M} UTC"
    console.print(f"{offer.product.name}, {price}, for {offer.email}, until {until}", markup=False)


def _whom(link: ListedLink) -> str:
    return masked(link.prospect_email) if "@" in link.prospect_email else "-"


def _row(link: ListedLink) -> dict[str, object]:
    return {
        "id": link.id,
        "created_at": link.created_at,
        "product": link.product,
        "for": _whom(link),
        "state": link.state,
        "expires_at": link.expires_at,
        "used_at": link.used_at if link.state == "USED" else None,
        "mailed": link.mailed,
        "reminded": link.reminded,
    }


def _table(found: Sequence[ListedLink]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("made (UTC)", "id", "product", "for", "state", "until (UTC)", "mailed", "reminded"):
        table.add_column(heading, overflow="fold")
    for link in found:
        table.add_row(
            *(f"{link.created_at:%Y-%m-%d %H:%M:%S}", str(link.id), link.product),
            *(_whom(link), link.state),
            f"{link.expires_at:%Y-%m-%d %H:%M}" if link.expires_at else "-",
            *(link.mailed or "-", link.reminded or "-"),
        )
    return table


def register(fleet: typer.Typer) -> None:
    """Add the group."""
    fleet.add_typer(app, name="links", rich_help_panel="Payments")
