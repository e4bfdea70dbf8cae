"""What a key may do: ``GET /v3/scopes`` of SendGrid's, and the account of Twilio's. Faults don't meet them.

Source: SendGrid's "API Key Permissions" and Twilio's "Account" resource.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from workers.dev.sandbox import twilio_errors as codes
from workers.dev.sandbox.sendgrid_errors import UNAUTHORIZED, error
from workers.dev.sandbox.twilio_errors import text_of
from workers.dev.sandbox.twilio_views import API

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.state import Sandbox

SCOPES = ("mail.send", "recipients.erasejob.create", "user.email.read")
"""Of the sandbox's key: what the fleet uses, and one more."""


def routes(sandbox: Sandbox) -> list[Route]:
    """Both endpoints. They come before Twilio's own, which take all else below its path."""

    async def scopes(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {sandbox.controls.api_key}":
            return JSONResponse({"errors": [error(UNAUTHORIZED)]}, 401)
        return JSONResponse({"scopes": [*SCOPES]})

    async def account(request: Request) -> Response:
        controls = sandbox.controls
        pair = base64.b64encode(f"{controls.account_sid}:{controls.auth_token}".encode()).decode()
        sid = request.path_params["account"]
        if request.headers.get("authorization") != f"Basic {pair}" or sid != controls.account_sid:
            refusal = {"code": codes.AUTHENTICATE, "message": text_of(codes.AUTHENTICATE), "status": 401}
            return JSONResponse(refusal, 401)
        return JSONResponse(
            {
                "sid": sid,
                "owner_account_sid": sid,
                "friendly_name": "Sandbox",
                "status": "active",
                "type": "Full",
                "auth_token": controls.auth_token,
                "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
                "date_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
                "subresource_uris": {"messages": f"/{API}/Accounts/{sid}/Messages.json"},
                "uri": f"/{API}/Accounts/{sid}.json",
            }
        )

    return [
        Route("/v3/scopes", scopes, methods=["GET"]),
        Route(f"/{API}/Accounts/{{account}}.json", account, methods=["GET"]),
    ]
