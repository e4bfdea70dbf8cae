"""The TCP connection beneath a request, so that a vendor's module can cut it off."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from starlette.types import Receive, Scope

_EXTENSION = "sandbox"


class Connection:
    """One TCP connection of a client."""

    _ids: ClassVar[Iterator[int]] = count(1)

    def __init__(self, transport: asyncio.Transport) -> None:
        self.id = next(self._ids)
        self.counted = False
        self._transport = transport

    async def hang_up(self, receive: Receive, last_words: bytes = b"") -> None:
        """Close the connection in place of an answer.

        Args:
            receive: The request's; the server takes a request for answered once it reports the disconnect.
            last_words: Bytes to write first, as they are.
        """
        self._transport.write(last_words)
        self._transport.close()
        await disconnected(receive)


async def disconnected(receive: Receive) -> None:
    """Return once the client of a request that was read in full is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def connection_of(scope: Scope) -> Connection:
    """The connection that carries a request served by `SandboxProtocol`."""
    connection: Connection = scope["extensions"][_EXTENSION]["connection"]
    return connection


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with the connection at hand as an ASGI extension."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Called by asyncio for each new connection."""
        super().connection_made(transport)
        self._connection = Connection(transport)

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of each request."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"connection": self._connection}}
