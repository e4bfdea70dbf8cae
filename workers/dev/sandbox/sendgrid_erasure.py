"""``POST /v3/recipients/erasejob``: SendGrid forgets what was sent to some addresses."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from workers.dev.sandbox.sendgrid_errors import UNAUTHORIZED, error

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.state import Sandbox

_MOST = 5000


def routes(sandbox: Sandbox) -> list[Route]:
    """Its one endpoint. Faults don't meet it."""

    async def erase(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {sandbox.controls.api_key}":
            return JSONResponse({"errors": [error(UNAUTHORIZED)]}, 401)
        addresses = _addresses(await request.body())
        if addresses is None:
            wrong = error(f"1 to {_MOST} addresses are needed", "email_addresses")
            return JSONResponse({"errors": [wrong]}, 400)
        sandbox.store.forget({address.lower() for address in addresses})
        return JSONResponse({"job_id": secrets.token_hex(16)}, 202)

    return [Route("/v3/recipients/erasejob", erase, methods=["POST"])]


def _addresses(body: bytes) -> list[str] | None:
    try:
        asked: Any = json.loads(body)["email_addresses"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(asked, list) or not 1 <= len(asked) <= _MOST:
        return None
    return asked if all(isinstance(address, str) for address in asked) else None
