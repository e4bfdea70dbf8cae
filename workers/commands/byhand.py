"""What an operator does by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import select

from db.models import NotificationDelivery
from db.models.fleet import DispatchRow
from db.models.settling import Letter
from db.queries import interventions
from db.queries.interventions import By
from workers import logs
from workers.bootstrap import make_fleet
from workers.clock import utc_now
from workers.commands.asking import Who, login
from workers.commands.output import (
    AsJson,
    DryRun,
    Exit,
    console,
    examples,
    fail,
    print_json,
    uuid_argument,
)
from workers.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from services.notifications.outcomes import Settlement
    from workers.bootstrap import Fleet


def deliver(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="A delivery's or a letter's id.")],
    *,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send one delivery now, from this process, due or not. Who did is recorded.

    Refused where it has had its last word, is in a worker's hands, is parked, or where nobody knows yet
    whether an earlier try was accepted.
    """
    wanted = uuid_argument(delivery_id)
    settings = Settings.load()
    logs.configure("ERROR")
    fleet = make_fleet(settings)
    try:
        queued = _queued(fleet, wanted)
        if dry_run:
            _rehearse(queued, as_json=as_json)
            return
        settlement = fleet.drains[queued.channel].one(wanted)
        if settlement is None:
            held = "parked" if queued.parked_at else "in a worker's hands; try again in a moment"
            raise fail(f"Delivery {wanted} is {held}.", Exit.NO)
        with fleet.sessions.begin() as session:
            interventions.record(session, By(who or login(), why), "deliver", {}, [wanted])
    finally:
        fleet.engine.dispose()
    if as_json:
        print_json(settlement.row())
    else:
        _tell(settlement)
    if settlement.state != "SENT":
        raise typer.Exit(Exit.NO)


def _queued(fleet: Fleet, wanted: UUID) -> DispatchRow:
    with fleet.sessions() as session:
        found = session.get(NotificationDelivery, wanted) or session.get(Letter, wanted)
        queued = session.scalar(select(DispatchRow).where(DispatchRow.delivery_id == wanted))
    if found is None:
        raise fail(f"There is no delivery {wanted}. fleet explain takes any id.", Exit.NO)
    if queued is None:
        raise fail(
            f"Delivery {wanted} has had its last word: {found.status}. See fleet explain {wanted}.", Exit.NO
        )
    if queued.channel not in fleet.drains:
        raise fail(f"Nothing sends on {queued.channel} yet; the delivery stays PENDING.", Exit.NO)
    return queued


def _rehearse(queued: DispatchRow, *, as_json: bool) -> None:
    held = queued.lease_until is not None and queued.lease_until > utc_now()
    if queued.parked_at or held:
        why = "parked" if queued.parked_at else "in a worker's hands; try again in a moment"
        raise fail(f"Delivery {queued.delivery_id} is {why}.", Exit.NO)
    if as_json:
        print_json({"dry_run": True, "channel": queued.channel, "due_at": queued.due_at})
    else:
        console.print(f"Nothing was done. It would be sent on {queued.channel} now.")


def _tell(settlement: Settlement) -> None:
    if settlement.state == "SENT":
        console.print(f"sent by {settlement.provider} as {settlement.message_id}")
        return
    due = f", due again {settlement.due_at:%Y-%m-%d %H:%M:%S} UTC" if settlement.due_at else ""
    explained = f": {settlement.code} {settlement.message or ''}".rstrip() if settlement.code else ""
    console.print(f"{settlement.state}{explained}{due} (now {utc_now():%H:%M:%S})", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples(
        "fleet deliver 0f8fad5b-d9cb-469f-a165-70867728950e --dry-run",
        'fleet deliver 0f8fad5b-d9cb-469f-a165-70867728950e --why "the client is on the phone"',
    )
    app.command(rich_help_panel="By hand", epilog=shown)(deliver)
