"""The two processes that wake the workers: the relay by what is due, beat by the clock."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from celery.beat import Scheduler, Service

from workers.celery_app import make_app
from workers.clock import utc_now
from workers.commands.output import examples
from workers.commands.process import PANEL, on_stop_signals, sessions_of, started
from workers.relay import Relay

if TYPE_CHECKING:
    import typer


def relay() -> None:
    """Run a relay: wakes the workers as soon as something is due. Several do no harm."""
    settings, stopping = started("relay"), Event()
    on_stop_signals(stopping.set)
    url = settings.database_url.get_secret_value()
    Relay(url, sessions_of(settings), make_app(settings), stopping, utc_now).run()


def beat() -> None:
    """Run beat: ticks what no event starts. Several do no harm."""
    service = Service(make_app(started("beat")), scheduler_cls=Scheduler)
    # Celery's own command raises out of the signal's handler, and now and then goes on ticking.
    on_stop_signals(service.stop)
    service.start()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL, epilog=examples("fleet relay"))(relay)
    app.command(rich_help_panel=PANEL, epilog=examples("fleet beat"))(beat)
