"""One request to a vendor's API, and the means to answer it.

Bare ASGI: the sandbox must not be what limits a measurement.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from starlette.requests import ClientDisconnect

from workers.dev.sandbox.connections import connection_of, disconnected

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from workers.dev.sandbox.connections import Connection

Headers: TypeAlias = list[tuple[bytes, bytes]]
JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")


class TooLargeError(Exception):
    """A body is longer than the vendor takes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; the length is added when it goes."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)


class Refusal(Exception):  # noqa: N818  an answer of the API, not a failure of the sandbox
    """An answer that accepts nothing.

    Args:
        status: The HTTP status.
        body: The answer's body.
        content_type: Of the body.
        headers: More of them.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        content_type: bytes = b"application/json",
        headers: Headers | None = None,
    ) -> None:
        super().__init__(status)
        self.answer = Answer(status, body, [(b"content-type", content_type), *(headers or ())])


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.connection: Connection = connection_of(scope)
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            ClientDisconnect: The client left before its end.
            TooLargeError: It has more bytes than the limit.
        """
        parts, size = [], 0
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(event["body"])
            size += len(event["body"])
            if size > limit:
                raise TooLargeError
            more = event["more_body"]
        return b"".join(parts)

    async def answer(self, answer: Answer) -> None:
        """Send the answer."""
        length = (b"content-length", str(len(answer.body)).encode())
        await self._send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [*answer.headers, length],
            }
        )
        await self._send({"type": "http.response.body", "body": answer.body})

    async def hang_up(self, last_words: bytes = b"") -> None:
        """Close the connection in place of an answer, after these bytes as they are."""
        await self.connection.hang_up(self._receive, last_words)

    async def hangs_up_within(self, seconds: float) -> bool:
        """Wait; return whether the client left meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await disconnected(self._receive)
        except TimeoutError:
            return False
        return True
