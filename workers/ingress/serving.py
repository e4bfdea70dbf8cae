"""Serves the ingress on the open internet's terms: nobody holds a connection by dawdling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
LINGER_SECONDS = 1.0
"""So long may the rest of a refused body keep coming, for its sender to hear the answer."""

_MOST_CONNECTIONS = 512
_KEEP_ALIVE_SECONDS = 15
_STOP_SECONDS = 10


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which by itself waits for ever for a request's head, however long it grows."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Called by asyncio for each new connection."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio at the end."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio for whatever comes."""
        super().data_received(data)
        if self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of each request."""
        super().on_message_begin()
        self._head_is_there()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Called by the parser before the body."""
        self._head_is_there()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Called when an answer is out, its request read to the end or not."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _await_head(self) -> None:
        self._head = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def server_config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves the ingress; the process's own logging stays as it is."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        # What a proxy says of scheme and client is neither needed nor believed.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
