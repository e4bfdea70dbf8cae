"""``POST /v3/mail/send`` as SendGrid answers it, with faults on demand.

A bare ASGI endpoint: the sandbox must not be what limits a measurement.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.requests import ClientDisconnect
from starlette.routing import Route

from workers.dev.sandbox.connections import connection_of, disconnected
from workers.dev.sandbox.sendgrid_errors import (
    UNAUTHORIZED,
    WRONG_CONTENT_TYPE,
    Refusal,
    error,
    error_body,
    too_large,
)
from workers.dev.sandbox.sendgrid_rules import MAX_BODY, examine, inflate
from workers.dev.sandbox.store import Message

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from workers.dev.sandbox.connections import Connection
    from workers.dev.sandbox.sendgrid_events import EventWebhook
    from workers.dev.sandbox.sendgrid_rules import Submission
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.wire import Fault

_TOO_MANY = b'{"errors":[{"field":null,"message":"too many requests"}]}'
_LAST_WORDS: Final = {
    "drop_after": b"",
    "truncate": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Mess",
    "garbage": b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n",
}
Headers: TypeAlias = list[tuple[bytes, bytes]]


def routes(sandbox: Sandbox, webhook: EventWebhook) -> list[Route]:
    """SendGrid's part of the sandbox."""
    return [Route("/v3/mail/send", MailSend(sandbox, webhook), methods=["POST"])]


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One good request, and the means to answer it."""

    connection: Connection
    receive: Receive
    send: Send
    body: bytes
    submission: Submission


class MailSend:
    """The endpoint.

    A message is accepted once its request was read in full and found good; the latency and most faults come
    between that and the answer, so a client that dies while it waits has sent its message.
    """

    def __init__(self, sandbox: Sandbox, webhook: EventWebhook) -> None:
        self._sandbox = sandbox
        self._webhook = webhook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection = connection_of(scope)
        self._sandbox.tally.request(connection)
        try:
            body = self._admit(scope, await _read(receive))
            submission = examine(body)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            headers = [(b"content-type", refusal.content_type)]
            await self._refuse(send, refusal.status, refusal.body, headers)
            return
        exchange = _Exchange(connection, receive, send, body, submission)
        fault = self._sandbox.faults.take([recipient.email for recipient in submission.recipients])
        if fault is None:
            await self._comply(exchange, self._sandbox.controls.latency)
        else:
            self._sandbox.tally.faults[fault.kind] += 1
            await self._misbehave(fault, exchange)

    def _admit(self, scope: Scope, body: bytes) -> bytes:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if headers.get(b"authorization") != b"Bearer " + self._sandbox.controls.api_key.encode():
            raise Refusal(401, error_body(error(UNAUTHORIZED)))
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            raise Refusal(415, error_body(error(WRONG_CONTENT_TYPE)))
        return inflate(body, headers.get(b"content-encoding", b""))

    async def _misbehave(self, fault: Fault, exchange: _Exchange) -> None:
        match fault.kind:
            case "slow":
                seconds = fault.seconds or 0.0
                if fault.when == "after":
                    await self._comply(exchange, seconds)
                elif not await _hangs_up_within(seconds, exchange.receive):
                    await self._comply(exchange, 0.0)
            case "status":
                status = fault.status or 500
                body = _TOO_MANY if status == HTTPStatus.TOO_MANY_REQUESTS else _plain_error(status)
                await self._refuse(exchange.send, status, body, _refusal_headers(status, fault.retry_after))
            case "drop_before":
                await exchange.connection.hang_up(exchange.receive)
            case "drop_after" | "truncate" | "garbage":
                self._accept(exchange)
                await exchange.connection.hang_up(exchange.receive, _LAST_WORDS[fault.kind])

    async def _comply(self, exchange: _Exchange, seconds: float) -> None:
        message = self._accept(exchange)
        await asyncio.sleep(seconds)
        await _answer(exchange.send, 202, b"", [(b"x-message-id", message.id.encode())])

    def _accept(self, exchange: _Exchange) -> Message:
        submission = exchange.submission
        message = Message(
            id=secrets.token_urlsafe(16),  # 22 characters, as SendGrid's
            accepted_at=datetime.now(UTC),
            sender=submission.sender,
            recipients=submission.recipients,
            subject=submission.subject,
            categories=submission.categories,
            connection=exchange.connection.id,
            packed=Message.pack(exchange.body),
        )
        self._webhook.announce(message)
        self._sandbox.store.add(message)
        self._sandbox.tally.accepted += 1
        return message

    async def _refuse(self, send: Send, status: int, body: bytes, headers: Headers) -> None:
        self._sandbox.tally.refused[str(status)] += 1
        await asyncio.sleep(self._sandbox.controls.latency)
        await _answer(send, status, body, headers)


async def _read(receive: Receive) -> bytes:
    parts, size = [], 0
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(event["body"])
        size += len(event["body"])
        if size > MAX_BODY:
            raise too_large()
        more = event["more_body"]
    return b"".join(parts)


async def _hangs_up_within(seconds: float, receive: Receive) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await disconnected(receive)
    except TimeoutError:
        return False
    return True


def _plain_error(status: int) -> bytes:
    return error_body(error(responses.get(status, "error").lower()))


def _refusal_headers(status: int, retry_after: int | None) -> Headers:
    headers = [(b"content-type", b"application/json")]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        reset = int(time.time()) + (retry_after or 0)
        headers += [
            (b"x-ratelimit-limit", b"600"),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", str(reset).encode()),
        ]
    return headers


async def _answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
