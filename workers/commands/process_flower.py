"""The process that shows workers, queues and tasks."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Annotated

import typer

from db.queries import links
from workers.celery_app import make_app
from workers.clock import utc_now
from workers.commands.output import console, examples
from workers.commands.process import LOOPBACK, PANEL, Host, on_stop_signals, sessions_of, started
from workers.flower import FleetFlower, prefix
from workers.flower_door import Guard, sign_in
from workers.ops.sign_in import Seal


def flower(
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5555,
    *,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Let those who sign in run tasks and stop workers.")
    ] = False,
) -> None:
    """Run Flower on the fleet's broker: always with a password, to look at only unless asked."""
    settings = started("flower")
    given = sign_in(settings)
    if given is None:
        given = settings.ops_user, secrets.token_urlsafe(18)
        console.print(f"FLEET_OPS_PASSWORD is not set; for this run {given[0]} has the password {given[1]}")
    sessions = sessions_of(settings)

    @cache
    def key() -> bytes:
        with sessions() as session:
            return links.signing_key(session)

    guard = Guard(Seal(*given, key, utc_now), settings.public_url.scheme == "https")
    watched = FleetFlower(
        make_app(settings),
        guard,
        prefix=prefix(settings.flower_url),
        host=host,
        port=port,
        allow_changes=allow_changes,
    )
    on_stop_signals(watched.stop_soon)
    watched.run()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL, epilog=examples("fleet flower --port 5555"))(flower)
