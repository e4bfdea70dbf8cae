"""The control API: what was sent, what goes wrong next, and how the sandbox is set. JSON both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workers.dev.sandbox.control_answers import bad_request, content, explain, read_body
from workers.dev.sandbox.sendgrid_rules import part_of
from workers.dev.sandbox.wire import (
    Behaviour,
    BehaviourView,
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

    from workers.dev.sandbox.behaviours import ActiveBehaviour
    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.faults import ActiveFault
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.store import Message

PREFIX = "/sandbox/api"

_SUMMARIES = TypeAdapter(list[MessageSummary])
_FAULTS = TypeAdapter(list[FaultView])
_BEHAVIOURS = TypeAdapter(list[BehaviourView])


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
            Route(f"{PREFIX}/behaviours", self.list_behaviours, methods=["GET"]),
            Route(f"{PREFIX}/behaviours", self.add_behaviour, methods=["POST"]),
            Route(f"{PREFIX}/behaviours", self.clear_behaviours, methods=["DELETE"]),
            Route(f"{PREFIX}/settings", self.show_settings, methods=["GET"]),
            Route(f"{PREFIX}/settings", self.change_settings, methods=["PATCH"]),
            Route(f"{PREFIX}/stats", self.show_stats, methods=["GET"]),
        ]

    async def list_messages(self, request: Request) -> Response:
        """The e-mails, oldest first; ``to``: part of an address, ``token``: a custom argument's value."""
        if unknown := sorted(set(request.query_params) - {"to", "token"}):
            return bad_request(f"{', '.join(unknown)}: no such filter; there are to and token")
        to, token = request.query_params.get("to", ""), request.query_params.get("token")
        found = [
            _summary(message)
            for message in self._sandbox.store
            if message.goes_to(to) and (token is None or message.carries(token))
        ]
        return content(_SUMMARIES.dump_json(found))

    async def clear_messages(self, _: Request) -> Response:
        """Forget all messages, those of phones too. Their events still follow."""
        self._sandbox.store.clear()
        self._sandbox.phones.clear()
        return Response(status_code=204)

    async def show_message(self, request: Request) -> Response:
        """One e-mail with its parts."""
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
        return content(detail.model_dump_json().encode())

    async def list_faults(self, _: Request) -> Response:
        """The faults that still wait for requests."""
        return content(_FAULTS.dump_json([_view(active) for active in self._sandbox.faults]))

    async def add_fault(self, request: Request) -> Response:
        """Set a fault."""
        try:
            fault = await read_body(request, Fault)
        except ValidationError as error:
            return bad_request(explain(error, Fault))
        return content(_view(self._sandbox.faults.add(fault)).model_dump_json().encode(), 201)

    async def clear_faults(self, _: Request) -> Response:
        """Forget all faults."""
        self._sandbox.faults.clear()
        return Response(status_code=204)

    async def list_behaviours(self, _: Request) -> Response:
        """The behaviours that are set."""
        return content(_BEHAVIOURS.dump_json([_behaviour_view(each) for each in self._sandbox.behaviours]))

    async def add_behaviour(self, request: Request) -> Response:
        """Set a behaviour."""
        try:
            behaviour = await read_body(request, Behaviour)
        except ValidationError as error:
            return bad_request(explain(error, Behaviour))
        active = self._sandbox.behaviours.add(behaviour)
        return content(_behaviour_view(active).model_dump_json().encode(), 201)

    async def clear_behaviours(self, _: Request) -> Response:
        """Forget what was set; what addresses say of themselves holds."""
        self._sandbox.behaviours.clear()
        return Response(status_code=204)

    async def show_settings(self, _: Request) -> Response:
        """The settings as they are."""
        controls = self._sandbox.controls
        view = SettingsView(
            api_key=controls.api_key,
            latency=controls.latency,
            webhooks=not self._courier.held,
            webhook_url=controls.webhook_url,
            account_sid=controls.account_sid,
            auth_token=controls.auth_token,
            inbound_url=controls.inbound_url,
            whatsapp_window=controls.whatsapp_window,
            price_delay=controls.price_delay,
            stripe_key=controls.stripe_key,
            stripe_webhook_secret=controls.stripe_webhook_secret,
            stripe_webhook_url=controls.stripe_webhook_url,
            stripe_per_second=controls.stripe_per_second,
            templates=controls.templates,
            public_key=self._public_key,
        )
        return content(view.model_dump_json().encode())

    async def change_settings(self, request: Request) -> Response:
        """Change what is given, and answer with the settings as they are then."""
        try:
            patch = await read_body(request, SettingsPatch)
        except ValidationError as error:
            return bad_request(explain(error, SettingsPatch))
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
            channels=dict(tally.channels),
            refused=dict(tally.refused),
            faults=dict(tally.faults),
            connections=tally.connections,
        )
        return content(stats.model_dump_json().encode())


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


def _behaviour_view(active: ActiveBehaviour) -> BehaviourView:
    return BehaviourView(id=active.id, behaviour=active.behaviour, remaining=active.remaining)
