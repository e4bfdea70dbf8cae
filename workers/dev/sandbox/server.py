"""Serves the sandbox over HTTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from workers.dev.sandbox.app import create_app
from workers.dev.sandbox.connections import SandboxProtocol

if TYPE_CHECKING:
    from workers.dev.sandbox.state import SandboxSettings

# Clients keep their connections; this is the usual patience of the server in front of such an API.
_KEEP_ALIVE_SECONDS = 75


def serve(host: str, port: int, settings: SandboxSettings) -> None:
    """Serve a sandbox until SIGINT or SIGTERM.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        settings: How it starts.
    """
    # uvicorn shuts down on SIGINT, and then raises it once more for its caller.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(settings, host, port)).run()


def server_config(settings: SandboxSettings, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves a sandbox; the process's own logging stays as it is."""
    return uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        http=SandboxProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
    )
