"""One command for each process, as production runs them."""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn
from celery.beat import Service
from celery.signals import worker_shutting_down
from sqlalchemy.orm import Session, sessionmaker
from tornado.options import options as flower_options

from db.engine import make_engine
from providers.signatures_sendgrid import SendGridSignatures
from providers.signatures_stripe import StripeSignatures
from providers.signatures_twilio import TwilioSignatures
from tasks.wakeups import QUEUES
from workers import logs
from workers.bootstrap import make_fleet
from workers.celery_app import make_app
from workers.clock import utc_now
from workers.commands.output import console
from workers.ingress.app import Ingress
from workers.ingress.links import ShortLinks
from workers.ingress.pages_unsubscribe import UnsubscribePage
from workers.ingress.serving import server_config
from workers.ingress.sources import TOLERANCE_SECONDS
from workers.links import make_links, make_unsubscribe
from workers.ops.app import make_operators_pages
from workers.payments import make_payments
from workers.relay import Relay
from workers.reminders import make_reminder_page
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LOOPBACK = "127.0.0.1"
THREADS = 12
"""Tasks side by side in a worker: one drain per queue, and room for what comes by hand."""

FLOWER_TASKS = 5000

Host = Annotated[str, typer.Option(help="Address to listen on.")]


def _on_stop_signals(stop: Callable[[], None]) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _settings() -> Settings:
    settings = Settings.load()
    logs.configure(settings.log_level)
    return settings


def _sessions(settings: Settings) -> sessionmaker[Session]:
    """For processes that send nothing themselves, and need neither words nor drains."""
    return sessionmaker(make_engine(settings.database_url.get_secret_value()), expire_on_commit=False)


def worker(
    queues: Annotated[
        str, typer.Option(help=f"Queues to work off, by comma; there are {', '.join(QUEUES)}.")
    ] = ",".join(QUEUES),
) -> None:
    """Run a worker. Start as many as you like, on as many machines as you like."""
    unknown = sorted(set(queues.split(",")) - set(QUEUES))
    if unknown:
        raise typer.BadParameter(f"no such queue: {', '.join(unknown)}; there are {', '.join(QUEUES)}")
    fleet = make_fleet(_settings())

    def stop(**_: object) -> None:
        fleet.stopping.set()

    worker_shutting_down.connect(stop)
    fleet.celery.worker_main(
        [
            "worker",
            "--pool=threads",
            f"--concurrency={THREADS}",
            f"--queues={queues}",
            f"--hostname=fleet-{os.getpid()}@%h",
            f"--loglevel={fleet.settings.log_level}",
            "--without-gossip",
            "--without-mingle",
        ]
    )


def relay() -> None:
    """Run a relay: wakes the workers as soon as something is due. Several do no harm."""
    settings, stopping = _settings(), Event()
    _on_stop_signals(stopping.set)
    url = settings.database_url.get_secret_value()
    Relay(url, _sessions(settings), make_app(settings), stopping, utc_now).run()


def beat() -> None:
    """Run beat: ticks what no event starts. Several do no harm."""
    service = Service(make_app(_settings()))
    # Celery's own command raises out of the signal's handler, and now and then goes on ticking.
    _on_stop_signals(service.stop)
    service.start()


def ingress(
    host: Host = LOOPBACK, port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080
) -> None:
    """Run the ingress: takes the providers' callbacks, tells health and metrics. Several do no harm."""
    settings = _settings()
    sessions = _sessions(settings)
    checkouts = make_payments(settings, sessions).checkouts
    application = Ingress(
        sessions=sessions,
        sendgrid=SendGridSignatures(settings.sendgrid_webhook_public_key, TOLERANCE_SECONDS),
        twilio=TwilioSignatures(settings.twilio_auth_token.get_secret_value()),
        stripe=StripeSignatures([each.get_secret_value() for each in settings.stripe_webhook_secret]),
        public_url=str(settings.public_url).rstrip("/"),
        health_max_age_seconds=settings.health_max_age_seconds,
        poll_share_warning=settings.poll_share_warning,
        clock=utc_now,
        pages=(
            *ShortLinks(make_links(settings, sessions)).routes(),
            *make_reminder_page(settings, sessions, checkouts).routes(),
            *UnsubscribePage(make_unsubscribe(settings, sessions), settings.locale).routes(),
            *make_operators_pages(settings, sessions, make_app(settings)),
        ),
    )
    # uvicorn shuts down on SIGINT, and then raises it once more for its caller.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(application.app(), host, port)).run()


def flower(
    host: Host = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5555,
    *,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Let those who sign in run tasks and stop workers.")
    ] = False,
) -> None:
    """Run Flower on the fleet's broker: always with a password, to look at only unless asked."""
    settings = _settings()
    given = settings.flower_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(18)
    if given is None:
        console.print(f"FLEET_FLOWER_PASSWORD is not set; for this run the password is {password}")
    import flower.options  # noqa: F401, PLC0415 - defines the options, among them --address, when imported

    # Not on the command line, where every user of the machine could read the password.
    flower_options.basic_auth = [f"{settings.flower_user}:{password}"]
    flower_options.address = host
    flower_options.port = port
    flower_options.read_only = not allow_changes
    flower_options.max_tasks = FLOWER_TASKS
    make_app(settings).start(["flower"])


def register(app: typer.Typer) -> None:
    """Add the process commands."""
    for command in (worker, relay, beat, ingress, flower):
        app.command(rich_help_panel="Processes")(command)
