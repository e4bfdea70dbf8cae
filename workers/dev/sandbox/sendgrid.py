"""``POST /v3/mail/send`` as SendGrid answers it, with faults on demand."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.routing import Route

from workers.dev.sandbox.desk import Desk
from workers.dev.sandbox.exchange import JSON, Answer, Exchange, Refusal, TooLargeError
from workers.dev.sandbox.sendgrid_errors import (
    UNAUTHORIZED,
    WRONG_CONTENT_TYPE,
    error,
    error_body,
    too_large,
)
from workers.dev.sandbox.sendgrid_rules import MAX_BODY, examine, inflate
from workers.dev.sandbox.store import Message

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from workers.dev.sandbox.sendgrid_events import EventWebhook
    from workers.dev.sandbox.sendgrid_rules import Submission
    from workers.dev.sandbox.state import Sandbox

_TOO_MANY = b'{"errors":[{"field":null,"message":"too many requests"}]}'


def routes(sandbox: Sandbox, webhook: EventWebhook) -> list[Route]:
    """SendGrid's part of the sandbox."""
    return [Route("/v3/mail/send", MailSend(sandbox, webhook), methods=["POST"])]


class SendGridManners:
    """How SendGrid words an error that a fault asks for."""

    cut_answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Mess"

    def refusal(self, status: int, retry_after: int | None) -> Answer:
        """An error of this status."""
        headers = [JSON]
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
        if status != HTTPStatus.TOO_MANY_REQUESTS:
            return Answer(status, error_body(error(responses.get(status, "error").lower())), headers)
        reset = int(time.time()) + (retry_after or 0)
        headers += [
            (b"x-ratelimit-limit", b"600"),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", str(reset).encode()),
        ]
        return Answer(status, _TOO_MANY, headers)


class MailSend:
    """The endpoint."""

    def __init__(self, sandbox: Sandbox, webhook: EventWebhook) -> None:
        self._sandbox = sandbox
        self._webhook = webhook
        self._desk = Desk(sandbox, SendGridManners())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        self._sandbox.tally.request(exchange.connection)
        try:
            body = await self._admit(exchange)
            submission = examine(body)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await self._desk.refuse(exchange, refusal.answer)
            return
        fault = self._sandbox.faults.take([recipient.email for recipient in submission.recipients])
        await self._desk.serve(exchange, fault, partial(self._accept, exchange, body, submission))

    async def _admit(self, exchange: Exchange) -> bytes:
        try:
            body = await exchange.read(MAX_BODY)
        except TooLargeError:
            raise too_large() from None
        headers = exchange.headers
        if headers.get(b"authorization") != b"Bearer " + self._sandbox.controls.api_key.encode():
            raise Refusal(401, error_body(error(UNAUTHORIZED)))
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            raise Refusal(415, error_body(error(WRONG_CONTENT_TYPE)))
        return inflate(body, headers.get(b"content-encoding", b""))

    def _accept(self, exchange: Exchange, body: bytes, submission: Submission) -> Answer:
        message = Message(
            id=secrets.token_urlsafe(16),  # 22 characters, as SendGrid's
            accepted_at=datetime.now(UTC),
            sender=submission.sender,
            recipients=submission.recipients,
            subject=submission.subject,
            categories=submission.categories,
            connection=exchange.connection.id,
            packed=Message.pack(body),
        )
        self._webhook.announce(message)
        self._sandbox.store.add(message)
        self._sandbox.tally.accept("email")
        return Answer(202, headers=[(b"x-message-id", message.id.encode())])
