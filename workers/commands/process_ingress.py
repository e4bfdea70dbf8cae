"""The process that others call."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer
import uvicorn

from providers.signatures_sendgrid import SendGridSignatures
from providers.signatures_stripe import StripeSignatures
from providers.signatures_twilio import TwilioSignatures
from schedules.timetable import timetable
from workers.celery_app import make_app
from workers.clock import utc_now
from workers.commands.output import examples
from workers.commands.process import LOOPBACK, PANEL, Host, sessions_of, started
from workers.ingress.app import Ingress
from workers.ingress.links import ShortLinks
from workers.ingress.pages_unsubscribe import UnsubscribePage
from workers.ingress.serving import server_config
from workers.ingress.sources import TOLERANCE_SECONDS
from workers.links import make_links, make_unsubscribe
from workers.ops.app import make_operators_pages
from workers.payments import make_payments
from workers.reminders import make_reminder_page


def ingress(
    host: Host = LOOPBACK, port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080
) -> None:
    """Run the ingress: takes the providers' callbacks, tells health and metrics. Several do no harm."""
    settings = started("ingress")
    sessions = sessions_of(settings)
    checkouts = make_payments(settings, sessions).checkouts
    application = Ingress(
        sessions=sessions,
        sendgrid=SendGridSignatures(settings.sendgrid_webhook_public_key, TOLERANCE_SECONDS),
        twilio=TwilioSignatures(settings.twilio_auth_token.get_secret_value()),
        stripe=StripeSignatures([each.get_secret_value() for each in settings.stripe_webhook_secret]),
        public_url=str(settings.public_url).rstrip("/"),
        health_max_age_seconds=settings.health_max_age_seconds,
        poll_share_warning=settings.poll_share_warning,
        entries=timetable(settings.reminder_time),
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL, epilog=examples("fleet ingress --host 0.0.0.0 --port 8080"))(ingress)
