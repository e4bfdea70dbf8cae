"""HTTP in: what providers say afterwards. Verified, stored raw and answered; worked off by a drain."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from db import json_rows
from db.queries import inbox
from providers.signatures import BadSignature, SendGridSignatures

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request

log = logging.getLogger(__name__)

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes. SendGrid's batches of events stay far below."""

TOLERANCE_SECONDS = 24 * 3600.0
"""SendGrid signs once and retries a refused batch for a day under the first signature's time."""


class Ingress:
    """Stores the providers' callbacks.

    Args:
        sessions: Makes sessions.
        sendgrid: Checks SendGrid's signatures.
        clock: Gives the time, aware, UTC.
    """

    def __init__(
        self, sessions: sessionmaker[Session], sendgrid: SendGridSignatures, clock: Callable[[], datetime]
    ) -> None:
        self._sessions = sessions
        self._sendgrid = sendgrid
        self._clock = clock

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/webhooks/sendgrid", self.receive_sendgrid, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        """Answer that the process takes requests."""
        del request
        return PlainTextResponse("ok")

    async def receive_sendgrid(self, request: Request) -> Response:
        """Take a batch of SendGrid's events: 204 stored, 400 malformed, 403 forged or old, 413 too large."""
        body = await _bounded(request)
        if body is None:
            return PlainTextResponse("too large", status_code=413)
        try:
            self._sendgrid.verify(
                body,
                request.headers.get("X-Twilio-Email-Event-Webhook-Signature", ""),
                request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp", ""),
                self._clock(),
            )
        except BadSignature as error:
            log.warning("a callback of sendgrid's was refused: %s", error)
            return PlainTextResponse("signature refused", status_code=403)
        try:
            rows = _events(json.loads(body))
        except ValueError:
            return PlainTextResponse("not an array of events with sg_event_id", status_code=400)
        await run_in_threadpool(self._store, rows)
        return Response(status_code=204)

    def _store(self, rows: list[dict[str, object]]) -> None:
        with self._sessions.begin() as session:
            inbox.store(session, "sendgrid", json_rows.dumps(rows))


async def _bounded(request: Request) -> bytes | None:
    """The raw body, or None where it is larger than the limit; no more than that is ever held."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _events(parsed: Any) -> list[dict[str, object]]:
    if not isinstance(parsed, list):
        raise ValueError("not an array")  # noqa: TRY004 - a matter of the sender's, answered 400
    rows: dict[str, dict[str, object]] = {}
    for event in parsed:
        event_id = event.get("sg_event_id") if isinstance(event, dict) else None
        if not isinstance(event_id, str) or not event_id:
            raise ValueError("an event without sg_event_id")
        rows[event_id] = {"callback_id": event_id, "body": event}
    return list(rows.values())
