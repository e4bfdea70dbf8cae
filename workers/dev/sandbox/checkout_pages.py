"""The checkout page: what a client sees of a Checkout Session, and what a client can do there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from starlette.responses import RedirectResponse
from starlette.routing import Route

from services.notifications import samples, words
from workers.dev.sandbox.page_answers import FORM_HEADERS, form_of, is_foreign, page, refusal
from workers.dev.sandbox.stripe_payments import Checkouts, NotPossibleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.stripe_objects import CheckoutSession
    from workers.dev.sandbox.stripe_store import StripeStore

_HERE: Final = frozenset({"localhost", "127.0.0.1"})
_PORTS: Final = {"http": 80, "https": 443}
_PATIENCE: Final = 0.5
"""Seconds in which an application on this machine takes a connection."""


def routes(store: StripeStore, checkouts: Checkouts) -> list[Route]:
    """The pages to pay on."""
    pages = CheckoutPages(store, checkouts)
    return [
        Route("/checkout/{session_id}", pages.show, methods=["GET"]),
        Route("/checkout/{session_id}", pages.act, methods=["POST"]),
    ]


class CheckoutPages:
    """Renders the checkout page and does what its buttons say; everything that was sent is escaped.

    Args:
        store: Where the payment of a session is.
        checkouts: Told of what the client does.
    """

    def __init__(self, store: StripeStore, checkouts: Checkouts) -> None:
        self._store = store
        self._checkouts = checkouts
        self._deeds: Final[dict[str, Callable[[str], CheckoutSession]]] = {
            "pay": checkouts.pay,
            "decline": checkouts.decline,
            "later": checkouts.pay_later,
            "close": checkouts.cancel,
        }

    async def show(self, request: Request) -> Response:
        """The page as the session is now."""
        return self._page(request.path_params["session_id"], left="left" in request.query_params)

    async def act(self, request: Request) -> Response:
        """Do what a button says. A client who is done goes back to the shop, if it runs on this machine."""
        if is_foreign(request):
            return refusal("only the checkout page itself may pay", 403)
        session_id, wish = request.path_params["session_id"], (await form_of(request)).get("do", "")
        if wish not in self._deeds:
            return refusal(f"do: give one of {', '.join(self._deeds)}", 400)
        try:
            session = self._deeds[wish](session_id)
        except NotPossibleError as error:
            return self._page(session_id, refused=error.message)
        if wish == "decline":
            back = ""
        elif wish == "close":
            back = session.order.cancel_url or ""
        else:
            back = session.success_url
        if not await _is_here(back):
            back = f"{request.url.path}{'?left=1' if wish == 'close' else ''}"
        return RedirectResponse(back, 303, headers=FORM_HEADERS)

    def _page(self, session_id: str, *, left: bool = False, refused: str = "") -> Response:
        try:
            session = self._checkouts.session(session_id)
        except NotPossibleError:
            return page("missing.html.j2", status=404)
        order = session.order
        intent = self._store.intents.get(session.payment_intent or "")
        shown: dict[str, Any] = {
            "session": session,
            "company": samples.COMPANY.name,
            "email": session.email or order.customer_email,
            "total": words.money(order.amount, order.currency, "en"),
            "lines": [
                (item, words.money(item.unit_amount * item.quantity, order.currency, "en"))
                for item in order.line_items
            ],
            "intent": intent,
            "left": left,
            "refused": refused,
            "success_url": session.success_url if _parts(session.success_url) else "",
            "cancel_url": order.cancel_url if _parts(order.cancel_url or "") else "",
        }
        status = 400 if refused else 200
        return page("checkout.html.j2", status=status, headers=_headers(session), **shown)


def _headers(session: CheckoutSession) -> dict[str, str]:
    # A browser holds a form to the policy on its way back to the shop as well.
    homes = {_home(url) for url in (session.success_url, session.order.cancel_url or "")}
    targets = "".join(sorted(f" {home[0]}://{home[1]}:{home[2]}" for home in homes if home))
    policy = FORM_HEADERS["Content-Security-Policy"].replace(
        "form-action 'self'", f"form-action 'self'{targets}"
    )
    return FORM_HEADERS | {"Content-Security-Policy": policy}


def _parts(url: str) -> SplitResult | None:
    """A URL's parts; None where it is not one of the web's."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _home(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL on this machine; the sandbox looks nowhere else."""
    parts = _parts(url)
    if parts is None or parts.hostname not in _HERE:
        return None
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


async def _is_here(url: str) -> bool:
    """Whether an application on this machine listens behind a URL."""
    home = _home(url)
    if home is None:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(home[1], home[2])
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
