"""Stripe's part of the control API: what clients and banks do, and what goes wrong with the webhooks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workers.dev.sandbox.control_answers import bad_request, content, explain, read_body
from workers.dev.sandbox.stripe_payments import Checkouts, NotPossibleError
from workers.dev.sandbox.stripe_wire import (
    Contest,
    Decline,
    Finish,
    GiveBack,
    Nothing,
    StripeDisputeView,
    StripeEventView,
    StripeMischief,
    StripeRefundView,
    StripeSessionView,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.stripe_events import Events
    from workers.dev.sandbox.stripe_objects import CheckoutSession, Dispute, Refund, StripeEvent

PREFIX = "/sandbox/api/stripe"

_SESSIONS = TypeAdapter(list[StripeSessionView])
_EVENTS = TypeAdapter(list[StripeEventView])
_Body = TypeVar("_Body", bound=BaseModel)
_Handler: TypeAlias = "Callable[[Request], Awaitable[Response]]"


class StripeControl:
    """The endpoints under ``/sandbox/api/stripe/``.

    Args:
        sandbox: What they show.
        checkouts: Told of what clients and banks do.
        events: Posts them.
    """

    def __init__(self, sandbox: Sandbox, checkouts: Checkouts, events: Events) -> None:
        self._store = sandbox.stripe
        self._checkouts = checkouts
        self._events = events

    def routes(self) -> list[Route]:
        """The routes of all endpoints."""
        do = self._checkouts
        acts = {
            "sessions/{id}/pay": _act(Nothing, lambda one, _: session_view(do.pay(one))),
            "sessions/{id}/decline": _act(Decline, lambda one, why: session_view(do.decline(one, why.code))),
            "sessions/{id}/pay-later": _act(Nothing, lambda one, _: session_view(do.pay_later(one))),
            "sessions/{id}/finish": _act(
                Finish, lambda one, end: session_view(do.finish(one, succeeded=end.succeeded))
            ),
            "sessions/{id}/expire": _act(Nothing, lambda one, _: session_view(do.expire(one))),
            "payments/{id}/refund": _act(
                GiveBack, lambda one, back: _refund_view(do.refund(one, back.amount, back.reason))
            ),
            "payments/{id}/dispute": _act(
                Contest, lambda one, contest: _dispute_view(do.dispute(one, contest.reason))
            ),
            "disputes/{id}/close": _act(
                Verdict, lambda one, verdict: _dispute_view(do.close_dispute(one, won=verdict.won))
            ),
            "events/{id}/resend": _act(Nothing, lambda one, _: _event_view(self._events.resend(one))),
        }
        return [
            Route(PREFIX, self.clear, methods=["DELETE"]),
            Route(f"{PREFIX}/sessions", self.list_sessions, methods=["GET"]),
            Route(f"{PREFIX}/events", self.list_events, methods=["GET"]),
            Route(f"{PREFIX}/calls", self.show_calls, methods=["GET"]),
            Route(f"{PREFIX}/webhooks", self.show_mischief, methods=["GET"]),
            Route(f"{PREFIX}/webhooks", self.set_mischief, methods=["PUT"]),
            *(Route(f"{PREFIX}/{path}", act, methods=["POST"]) for path, act in acts.items()),
        ]

    async def clear(self, _: Request) -> Response:
        """Forget all objects, events and counts."""
        self._store.clear()
        return Response(status_code=204)

    async def list_sessions(self, request: Request) -> Response:
        """The sessions, oldest first; ``mark``: a value in their metadata."""
        if unknown := sorted(set(request.query_params) - {"mark"}):
            return bad_request(f"{', '.join(unknown)}: no such filter; there is mark")
        self._checkouts.expire_due()
        mark = request.query_params.get("mark")
        found = [
            each for each in self._store.sessions if mark is None or mark in each.order.metadata.values()
        ]
        return content(_SESSIONS.dump_json([session_view(each) for each in found]))

    async def list_events(self, request: Request) -> Response:
        """The events, oldest first; ``type``: whole, ``subject``: an object's id."""
        asked = dict(request.query_params)
        if unknown := sorted(set(asked) - {"type", "subject"}):
            return bad_request(f"{', '.join(unknown)}: no such filter; there are type and subject")
        found = [
            _event_view(each)
            for each in self._store.events
            if all(getattr(each, name) == value for name, value in asked.items())
        ]
        return content(_EVENTS.dump_json(found))

    async def show_calls(self, _: Request) -> Response:
        """How often each endpoint was called."""
        return JSONResponse(dict(self._store.calls))

    async def show_mischief(self, _: Request) -> Response:
        """What still goes wrong with the webhooks."""
        return content(self._events.mischief.left().model_dump_json().encode())

    async def set_mischief(self, request: Request) -> Response:
        """Say what goes wrong with the webhooks from now on."""
        try:
            self._events.mischief.set(await read_body(request, StripeMischief))
        except ValidationError as error:
            return bad_request(explain(error, StripeMischief))
        return await self.show_mischief(request)


def session_view(session: CheckoutSession) -> StripeSessionView:
    """A session as the control API shows it."""
    order = session.order
    return StripeSessionView.model_validate(
        {
            "id": session.id,
            "created_at": datetime.fromtimestamp(session.created, UTC),
            "expires_at": datetime.fromtimestamp(order.expires_at, UTC),
            "status": session.status,
            "payment_status": session.payment_status,
            "amount": order.amount,
            "currency": order.currency,
            "url": session.url,
            "success_url": session.success_url,
            "cancel_url": order.cancel_url,
            "payment_intent": session.payment_intent,
            "customer": session.customer,
            "customer_email": session.email or order.customer_email,
            "client_reference_id": order.client_reference_id,
            "metadata": dict(order.metadata),
        }
    )


def _refund_view(refund: Refund) -> StripeRefundView:
    return StripeRefundView.model_validate(refund, from_attributes=True)


def _dispute_view(dispute: Dispute) -> StripeDisputeView:
    return StripeDisputeView.model_validate(dispute, from_attributes=True)


def _event_view(event: StripeEvent) -> StripeEventView:
    return StripeEventView(
        id=event.id,
        type=event.type,
        created_at=datetime.fromtimestamp(event.created, UTC),
        subject=event.subject,
        delivery=event.delivery,
        tries=event.tries,
    )


def _act(model: type[_Body], act: Callable[[str, _Body], BaseModel]) -> _Handler:
    async def handle(request: Request) -> Response:
        try:
            done = act(request.path_params["id"], await read_body(request, model))
        except ValidationError as error:
            return bad_request(explain(error, model))
        except NotPossibleError as error:
            status = 404 if error.code == "resource_missing" else 409
            return JSONResponse({"error": error.message}, status_code=status)
        return content(done.model_dump_json().encode())

    return handle
