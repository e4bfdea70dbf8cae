"""Serves the sandbox over HTTP."""

from __future__ import annotations

from contextlib import suppress

import uvicorn

from workers.dev.sandbox.app import create_app
from workers.dev.sandbox.connections import SandboxProtocol
from workers.dev.sandbox.state import SandboxSettings

# Clients keep their connections; this is the usual patience of the server in front of such an API.
_KEEP_ALIVE_SECONDS = 75


def serve(  # noqa: PLR0913  one keyword for each option of the command
    host: str,
    port: int,
    *,
    api_key: str,
    latency: float = 0.0,
    webhook_url: str = "",
    private_key_pem: str | None = None,
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        api_key: The only key that is accepted.
        latency: Seconds between an acceptance and its answer.
        webhook_url: Where SendGrid's events are posted; empty for nowhere.
        private_key_pem: Signs the events; made up when absent.
    """
    settings = SandboxSettings(
        api_key=api_key, latency=latency, webhook_url=webhook_url, private_key_pem=private_key_pem
    )
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
