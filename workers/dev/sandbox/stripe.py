"""Stripe's API as Stripe has it: Checkout Sessions, payments, refunds, disputes, events; faults on demand."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.routing import Route

from workers.dev.sandbox.desk import Desk
from workers.dev.sandbox.exchange import Answer, Exchange, Refusal, TooLargeError
from workers.dev.sandbox.stripe_endpoints import Call, Endpoint, Endpoints
from workers.dev.sandbox.stripe_errors import error_answer, invalid, reply
from workers.dev.sandbox.stripe_forms import read
from workers.dev.sandbox.stripe_gate import Gate
from workers.dev.sandbox.stripe_payments import Checkouts, NotPossibleError
from workers.dev.sandbox.stripe_replays import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from starlette.types import Receive, Scope, Send

    from workers.dev.sandbox.state import Sandbox

_MAX_BODY = 256 * 1024


def routes(sandbox: Sandbox, checkouts: Checkouts) -> list[Route]:
    """Stripe's part of the sandbox."""
    endpoints = sorted(Endpoints(sandbox.stripe, checkouts).all(), key=lambda each: each.path)
    by_path = {path: list(group) for path, group in groupby(endpoints, key=lambda each: each.path)}
    front = Front(sandbox, checkouts)
    return [
        *(Route(path, Place(front, path, each)) for path, each in by_path.items()),
        Route("/v1/{rest:path}", Place(front, "/v1/?", [])),
    ]


class StripeManners:
    """How Stripe words an error that a fault asks for."""

    cut_answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"id'

    def refusal(self, status: int, retry_after: int | None) -> Answer:
        """An error of this status."""
        headers = [] if retry_after is None else [(b"retry-after", str(retry_after).encode())]
        limited = status == HTTPStatus.TOO_MANY_REQUESTS
        kind = "api_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        return error_answer(
            "Request rate limit exceeded." if limited else HTTPStatus(status).phrase,
            status=status,
            code="rate_limit" if limited else None,
            kind=kind,
            headers=headers,
        )


class Front:
    """Serves the requests to all endpoints.

    Args:
        sandbox: What they show; counts them.
        checkouts: What they change.
    """

    def __init__(self, sandbox: Sandbox, checkouts: Checkouts) -> None:
        self._sandbox = sandbox
        self._checkouts = checkouts
        self._manners = StripeManners()
        self._desk = Desk(sandbox, self._manners)
        self._gate = Gate(sandbox.controls)

    async def serve(
        self, exchange: Exchange, scope: Scope, path: str, methods: Mapping[str, Endpoint]
    ) -> None:
        """Answer one request.

        Args:
            exchange: The request.
            scope: The same.
            path: The path that it is counted under.
            methods: What can be done there.
        """
        method = scope["method"]
        self._sandbox.stripe.calls[f"{method} {path}"] += 1
        try:
            body = await exchange.read(_MAX_BODY)
            self._gate.admit(exchange.headers)
            if method not in methods:
                raise invalid(f"Unrecognized request URL ({method}: {scope['path']}).", status=404)
            await self._comply(exchange, scope, body, methods[method])
        except ClientDisconnect:
            return
        except TooLargeError:
            await self._desk.refuse(exchange, error_answer("The body is too large.", status=413))
        except Refusal as refusal:
            await self._desk.refuse(exchange, refusal.answer)

    async def _comply(self, exchange: Exchange, scope: Scope, body: bytes, endpoint: Endpoint) -> None:
        creates = endpoint.method == "POST"
        encoded = body.decode("latin-1") if creates else scope["query_string"].decode("latin-1")
        host = exchange.headers.get(b"host", b"").decode("latin-1")
        call = Call(
            read(encoded, endpoint.shapes), scope["path_params"].get("id", ""), f"{scope['scheme']}://{host}"
        )
        act: Callable[[], Answer] = partial(self._act, endpoint, call)
        asked: Literal["send", "look"] = "send" if creates else "look"
        fault = self._sandbox.faults.take([scope["path"]], asked)
        if creates and (key := exchange.headers.get(b"idempotency-key", b"").decode("latin-1")):
            asks = Asked.of(scope["path"], body)
            act = partial(self._once, key, asks, act)
            if fault is not None and fault.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                # What broke in the middle is answered the same when it comes again, as by Stripe.
                self._sandbox.stripe.replays.keep(key, asks, self._manners.refusal(fault.status, None))
        await self._desk.serve(exchange, fault, act)

    def _once(self, key: str, asks: Asked, act: Callable[[], Answer]) -> Answer:
        if (answer := self._sandbox.stripe.replays.find(key, asks)) is not None:
            return answer
        answer = act()
        self._sandbox.stripe.replays.keep(key, asks, answer)
        return answer

    def _act(self, endpoint: Endpoint, call: Call) -> Answer:
        self._checkouts.expire_due()
        try:
            return reply(endpoint.act(call))
        except NotPossibleError as error:
            status = 404 if error.code == "resource_missing" else 400
            raise invalid(error.message, param=error.param, code=error.code, status=status) from None


class Place:
    """The endpoints of one path, as an ASGI application."""

    def __init__(self, front: Front, path: str, endpoints: list[Endpoint]) -> None:
        self._front = front
        self._path = path
        self._methods = {each.method: each for each in endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._front.serve(Exchange(scope, receive, send), scope, self._path, self._methods)
