"""The addresses of the ingress, put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasks.wakeups import CHANNELS
from workers.ingress.health import Health
from workers.ingress.receiving import Receiver, Shelf
from workers.ingress.source_stripe import StripeEvents
from workers.ingress.sources import SendGridEvents, TwilioInbound, TwilioStatus
from workers.kept import Kept
from workers.metrics import DatabaseMetrics, IngressMetrics, exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request

    from providers.signatures_sendgrid import SendGridSignatures
    from providers.signatures_stripe import StripeSignatures
    from providers.signatures_twilio import TwilioSignatures
    from schedules.timetable import Entry
    from workers.ingress.sources import Source

HEALTH_KEPT_SECONDS = 1.0
"""Probes come every few seconds, from more than one side."""


@dataclass(frozen=True)
class Ingress:
    """Takes the providers' callbacks, and tells machines how the fleet is.

    Attributes:
        sessions: Makes sessions.
        sendgrid: Checks SendGrid's signatures.
        twilio: Checks Twilio's signatures.
        stripe: Checks Stripe's signatures.
        public_url: Where providers reach it, without a slash at the end.
        health_max_age_seconds: Work that has been due for longer is late.
        poll_share_warning: From which share of a day's payments on it is worth a warning that they were
            learned by asking Stripe.
        entries: The timetable.
        clock: Gives the time, aware, UTC.
        pages: What people follow links to.
    """

    sessions: sessionmaker[Session]
    sendgrid: SendGridSignatures
    twilio: TwilioSignatures
    stripe: StripeSignatures
    public_url: str
    health_max_age_seconds: float
    poll_share_warning: float
    entries: Sequence[Entry]
    clock: Callable[[], datetime]
    pages: Sequence[Route] = ()

    def app(self) -> Starlette:
        """The ASGI application."""
        registry = CollectorRegistry()
        metrics = IngressMetrics(registry)
        registry.register(DatabaseMetrics(self.sessions, self.clock, self.entries, self.poll_share_warning))
        shelf = Shelf(self.sessions)
        sources: tuple[Source, ...] = (
            SendGridEvents(self.sendgrid),
            TwilioStatus(self.twilio, self.public_url),
            TwilioInbound(self.twilio, self.public_url),
            StripeEvents(self.stripe),
        )
        health = Kept(
            Health(self.sessions, CHANNELS, self.health_max_age_seconds, self.clock).look, HEALTH_KEPT_SECONDS
        )

        async def tell_health(request: Request) -> Response:
            """Answer 200 where all due work is young, else 503."""
            del request
            report = await run_in_threadpool(health.get)
            return JSONResponse(asdict(report), 200 if report.status == "ok" else 503, _UNCACHED)

        async def tell_metrics(request: Request) -> Response:
            """Answer all figures."""
            body, content_type = await run_in_threadpool(
                exposition, registry, request.headers.get("Accept", "")
            )
            return Response(body, headers=_UNCACHED | {"Content-Type": content_type})

        app = Starlette(
            routes=[
                *(Route(s.path, Receiver(s, shelf, metrics, self.clock)) for s in sources),
                Route("/live", _live),
                Route("/health", tell_health),
                Route("/metrics", tell_metrics),
                *self.pages,
            ]
        )
        # A redirect would be built from the host that the request names.
        app.router.redirect_slashes = False
        return app


_UNCACHED = {"Cache-Control": "no-store"}


async def _live(request: Request) -> Response:
    """Answer that the process takes requests, whatever the database does."""
    del request
    return PlainTextResponse("ok", headers=_UNCACHED)
