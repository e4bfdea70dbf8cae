"""The sandbox as an ASGI application."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from workers.dev.sandbox import (
    accounts,
    checkout_pages,
    gallery,
    pages,
    phone_pages,
    sendgrid,
    sendgrid_erasure,
    stripe,
    stripe_pages,
    twilio,
)
from workers.dev.sandbox.control import ControlApi
from workers.dev.sandbox.courier import Courier
from workers.dev.sandbox.phone_control import PhoneControl
from workers.dev.sandbox.sendgrid_events import EventWebhook, Signer
from workers.dev.sandbox.state import Sandbox
from workers.dev.sandbox.stripe_control import StripeControl
from workers.dev.sandbox.stripe_events import Events
from workers.dev.sandbox.stripe_payments import Checkouts
from workers.dev.sandbox.twilio_courses import Courses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.state import SandboxSettings


def create_app(settings: SandboxSettings) -> Starlette:
    """A sandbox that nothing was sent to yet, to be served with `SandboxProtocol` as the HTTP protocol."""
    sandbox = Sandbox.from_settings(settings)
    courier = Courier()
    signer = Signer()
    webhook = EventWebhook(sandbox, courier, signer, settings.webhook_delay)
    courses = Courses(sandbox, courier, settings.webhook_delay, settings.callback_retry_pause)
    events = Events(sandbox, courier, settings.webhook_delay)
    checkouts = Checkouts(sandbox.stripe, events.write)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            runners = [tasks.create_task(each.run()) for each in (webhook, courses, events, checkouts)]
            yield
            for runner in runners:
                runner.cancel()

    return Starlette(
        # The vendors' routes come first: routes are tried in order, and theirs are the busy ones.
        routes=[
            *sendgrid.routes(sandbox, webhook),
            *sendgrid_erasure.routes(sandbox),
            *accounts.routes(sandbox),
            *twilio.routes(sandbox, courses),
            *stripe.routes(sandbox, checkouts),
            Route("/health", _health, methods=["GET"]),
            *ControlApi(sandbox, courier, signer.public_key).routes(),
            *PhoneControl(sandbox, courses).routes(),
            *StripeControl(sandbox, checkouts, events).routes(),
            *gallery.routes(),
            *phone_pages.routes(sandbox, courier, courses),
            *checkout_pages.routes(sandbox.stripe, checkouts),
            *stripe_pages.routes(sandbox.stripe, checkouts, events, courier),
            *pages.routes(sandbox, courier),
        ],
        lifespan=lifespan,
    )


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")
