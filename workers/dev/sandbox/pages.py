"""The mail page: what was sent, newest first, and each e-mail as a mail client would show it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from workers.dev.sandbox.page_answers import HEADERS, page, render
from workers.dev.sandbox.sendgrid_rules import part_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.store import Message

_SHOWN = 200
_ASSETS: Final = {
    **dict.fromkeys(("sandbox.css", "phones.css", "gallery.css", "payments.css"), "text/css"),
    "sandbox.js": "text/javascript",
}


def routes(sandbox: Sandbox, courier: Courier) -> list[Route]:
    """The pages for people."""
    pages = MailPages(sandbox, courier)
    return [
        Route("/", pages.inbox, methods=["GET"]),
        Route("/messages/{id}", pages.message, methods=["GET"]),
        Route("/list", pages.listing, methods=["GET"]),
        Route("/assets/{name}", pages.asset, methods=["GET"]),
    ]


class MailPages:
    """Renders the mail page; everything that was sent is escaped.

    Args:
        sandbox: What it shows.
        courier: Whether callbacks are held is shown too.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier) -> None:
        self._sandbox = sandbox
        self._courier = courier

    async def inbox(self, _: Request) -> Response:
        """The list, with no e-mail open."""
        return page("mail.html.j2", opened=None, **self._list(""))

    async def message(self, request: Request) -> Response:
        """The list, and one e-mail open beside it."""
        message = self._sandbox.store.get(request.path_params["id"])
        if message is None:
            return page("missing.html.j2", status=404)
        return page("mail.html.j2", opened=_opened(message), **self._list(message.id))

    async def listing(self, request: Request) -> Response:
        """The list alone, for the live update; 204 if it is as the asking page has seen it."""
        context = self._list(request.query_params.get("open", ""))
        if request.query_params.get("seen") == context["version"]:
            return Response(status_code=204, headers=HEADERS)
        return page("list.html.j2", **context)

    async def asset(self, request: Request) -> Response:
        """The style sheet and the script."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            return page("missing.html.j2", status=404)
        return Response(render(f"{name}.j2"), media_type=_ASSETS[name], headers=HEADERS)

    def _list(self, open_id: str) -> dict[str, Any]:
        store = self._sandbox.store
        held = self._courier.held
        return {
            "messages": store.newest(_SHOWN),
            "total": len(store),
            "open_id": open_id,
            "held": held,
            "version": f"{store.version}{'-held' if held else ''}",
        }


def _opened(message: Message) -> dict[str, Any]:
    sent = message.request()
    sender = sent["from"]
    return {
        "message": message,
        "sender_name": sender.get("name") or "",
        "reply_to": (sent.get("reply_to") or {}).get("email", ""),
        "headers": sent.get("headers") or {},
        "html": part_of(sent, "text/html"),
        "text": part_of(sent, "text/plain"),
        "raw": json.dumps(sent, indent=2, ensure_ascii=False),
    }
