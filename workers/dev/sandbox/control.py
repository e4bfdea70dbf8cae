"""The control API: what was sent, what goes wrong next, and how the sandbox is set. JSON both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workers.dev.sandbox.sendgrid_rules import part_of
from workers.dev.sandbox.wire import (
    Fault,
    FaultView,
    MessageDetail,
    MessageSummary,
    SettingsPatch,
    SettingsView,
    Stats,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.faults import ActiveFault
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.store import Message

PREFIX = "/sandbox/api"

_Model = TypeVar("_Model", bound=BaseModel)
_SUMMARIES = TypeAdapter(list[MessageSummary])
_FAULTS = TypeAdapter(list[FaultView])


class ControlApi:
    """The endpoints under ``/sandbox/api/``.

    Args:
        sandbox: What they show and change.
        courier: What the ``webhooks`` setting holds and releases.
        public_key: Of the events' signatures.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier, public_key: str) -> None:
        self._sandbox = sandbox
        self._courier = courier
        self._public_key = public_key

    def routes(self) -> list[Route]:
        """The routes of all endpoints."""
        return [
            Route(f"{PREFIX}/messages", self.list_messages, methods=["GET"]),
            Route(f"{PREFIX}/messages", self.clear_messages, methods=["DELETE"]),
            Route(f"{PREFIX}/messages/{{id}}", self.show_message, methods=["GET"]),
            Route(f"{PREFIX}/faults", self.list_faults, methods=["GET"]),
            Route(f"{PREFIX}/faults", self.add_fault, methods=["POST"]),
            Route(f"{PREFIX}/faults", self.clear_faults, methods=["DELETE"]),
            Route(f"{PREFIX}/settings", self.show_settings, methods=["GET"]),
            Route(f"{PREFIX}/settings", self.change_settings, methods=["PATCH"]),
            Route(f"{PREFIX}/stats", self.show_stats, methods=["GET"]),
        ]

    async def list_messages(self, request: Request) -> Response:
        """The messages, oldest first; ``to``: part of an address, ``token``: a custom argument's value."""
        if unknown := sorted(set(request.query_params) - {"to", "token"}):
            return _bad_request(f"{', '.join(unknown)}: no such filter; there are to and token")
        to, token = request.query_params.get("to", ""), request.query_params.get("token")
        found = [
            _summary(message)
            for message in self._sandbox.store
            if message.goes_to(to) and (token is None or message.carries(token))
        ]
        return _json(_SUMMARIES.dump_json(found))

    async def clear_messages(self, _: Request) -> Response:
        """Forget all messages. Their events still follow."""
        self._sandbox.store.clear()
        return Response(status_code=204)

    async def show_message(self, request: Request) -> Response:
        """One message with its parts."""
        message = self._sandbox.store.get(request.path_params["id"])
        if message is None:
            return JSONResponse({"error": "no message of this id is kept"}, status_code=404)
        sent = message.request()
        detail = MessageDetail(
            **_summary(message).model_dump(),
            sender=message.sender,
            html=part_of(sent, "text/html"),
            text=part_of(sent, "text/plain"),
            request=sent,
        )
        return _json(detail.model_dump_json().encode())

    async def list_faults(self, _: Request) -> Response:
        """The faults that still wait for requests."""
        return _json(_FAULTS.dump_json([_view(active) for active in self._sandbox.faults]))

    async def add_fault(self, request: Request) -> Response:
        """Set a fault."""
        try:
            fault = await _body(request, Fault)
        except ValidationError as error:
            return _bad_request(_explain(error, Fault))
        return _json(_view(self._sandbox.faults.add(fault)).model_dump_json().encode(), 201)

    async def clear_faults(self, _: Request) -> Response:
        """Forget all faults."""
        self._sandbox.faults.clear()
        return Response(status_code=204)

    async def show_settings(self, _: Request) -> Response:
        """The settings as they are."""
        controls = self._sandbox.controls
        view = SettingsView(
            api_key=controls.api_key,
            latency=controls.latency,
            webhooks=not self._courier.held,
            webhook_url=controls.webhook_url,
            public_key=self._public_key,
        )
        return _json(view.model_dump_json().encode())

    async def change_settings(self, request: Request) -> Response:
        """Change what is given, and answer with the settings as they are then."""
        try:
            patch = await _body(request, SettingsPatch)
        except ValidationError as error:
            return _bad_request(_explain(error, SettingsPatch))
        changes = patch.model_dump(exclude_unset=True)
        webhooks = changes.pop("webhooks", None)
        if webhooks is not None:
            (self._courier.release if webhooks else self._courier.hold)()
        for name, value in changes.items():
            setattr(self._sandbox.controls, name, value)
        return await self.show_settings(request)

    async def show_stats(self, _: Request) -> Response:
        """The counts since the start."""
        tally = self._sandbox.tally
        stats = Stats(
            requests=tally.requests,
            accepted=tally.accepted,
            refused=dict(tally.refused),
            faults=dict(tally.faults),
            connections=tally.connections,
        )
        return _json(stats.model_dump_json().encode())


def _summary(message: Message) -> MessageSummary:
    first = message.recipients[0]
    return MessageSummary(
        id=message.id,
        accepted_at=message.accepted_at,
        recipient=first.email,
        recipients=[recipient.email for recipient in message.recipients],
        subject=message.subject,
        custom_args=dict(first.custom_args),
        categories=list(message.categories),
        connection=message.connection,
        callbacks=message.callbacks,
    )


def _view(active: ActiveFault) -> FaultView:
    return FaultView(id=active.id, fault=active.fault, remaining=active.remaining)


async def _body(request: Request, model: type[_Model]) -> _Model:
    return model.model_validate_json(await request.body())


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    complaints = []
    for each in error.errors(include_url=False):
        place = ".".join(map(str, each["loc"]))
        if each["type"] == "extra_forbidden":
            complaints.append(f"{place}: no such field; there are {', '.join(model.model_fields)}")
        else:
            complaints.append(f"{place}: {each['msg']}" if place else each["msg"])
    return "; ".join(complaints)


def _bad_request(message: str) -> Response:
    return JSONResponse({"error": message}, status_code=400)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
