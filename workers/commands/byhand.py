"""What an operator does by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import select

from db.models import NotificationDelivery
from db.models.fleet import DispatchRow
from db.models.settling import Letter
from workers import logs
from workers.bootstrap import make_fleet
from workers.clock import utc_now
from workers.commands.output import AsJson, Exit, console, fail, print_json, uuid_argument
from workers.settings import Settings


def deliver(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="A delivery's or a letter's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Send one delivery now, from this process, due or not.

    Refused where it has had its last word, is in a worker's hands, is parked, or where nobody knows yet
    whether an earlier try was accepted.
    """
    wanted = uuid_argument(delivery_id)
    settings = Settings.load()
    logs.configure("ERROR")
    fleet = make_fleet(settings)
    with fleet.sessions() as session:
        found = session.get(NotificationDelivery, wanted) or session.get(Letter, wanted)
        queued = session.scalar(select(DispatchRow).where(DispatchRow.delivery_id == wanted))
    if found is None:
        raise fail(f"There is no delivery {wanted}. fleet explain takes any id.", Exit.NO)
    if queued is None:
        raise fail(
            f"Delivery {wanted} has had its last word: {found.status}. See fleet explain {wanted}.", Exit.NO
        )
    drain = fleet.drains.get(found.channel)
    if drain is None:
        raise fail(f"Nothing sends on {found.channel} yet; the delivery stays PENDING.", Exit.NO)
    settlement = drain.one(wanted)
    if settlement is None:
        why = "parked" if queued.parked_at else "in a worker's hands; try again in a moment"
        raise fail(f"Delivery {wanted} is {why}.", Exit.NO)
    if as_json:
        print_json(settlement.row())
    elif settlement.state == "SENT":
        console.print(f"sent by {settlement.provider} as {settlement.message_id}")
    else:
        due = f", due again {settlement.due_at:%Y-%m-%d %H:%M:%S} UTC" if settlement.due_at else ""
        explained = f": {settlement.code} {settlement.message or ''}".rstrip() if settlement.code else ""
        console.print(f"{settlement.state}{explained}{due} (now {utc_now():%H:%M:%S})", markup=False)
    if settlement.state != "SENT":
        raise typer.Exit(Exit.NO)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="By hand")(deliver)
