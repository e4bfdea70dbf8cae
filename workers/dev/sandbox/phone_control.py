"""The phones' part of the control API: what they got, and answers in their name."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.notifications import gsm7
from workers.dev.sandbox.control_answers import bad_request, content, explain, read_body
from workers.dev.sandbox.phones import PhoneMessage
from workers.dev.sandbox.wire import PhoneMessageView, PhoneReply

if TYPE_CHECKING:
    from starlette.requests import Request

    from workers.dev.sandbox.phones import Channel, Phones
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.twilio_courses import Courses

PREFIX = "/sandbox/api/phones"

_VIEWS = TypeAdapter(list[PhoneMessageView])
_FILTERS: Final = ("number", "to", "from", "channel", "token", "status", "inbound")


class PhoneControl:
    """The endpoints under ``/sandbox/api/phones/``.

    Args:
        sandbox: What they show.
        courses: Told of what phones answer.
    """

    def __init__(self, sandbox: Sandbox, courses: Courses) -> None:
        self._sandbox = sandbox
        self._courses = courses

    def routes(self) -> list[Route]:
        """The routes of all endpoints."""
        return [
            Route(f"{PREFIX}/messages", self.list_messages, methods=["GET"]),
            Route(f"{PREFIX}/messages/{{sid}}", self.show_message, methods=["GET"]),
            Route(f"{PREFIX}/replies", self.reply, methods=["POST"]),
        ]

    async def list_messages(self, request: Request) -> Response:
        """The messages, oldest first. The filters take a field's whole value."""
        asked = dict(request.query_params)
        if unknown := sorted(set(asked) - set(_FILTERS)):
            return bad_request(f"{', '.join(unknown)}: no such filter; there are {', '.join(_FILTERS)}")
        kept: list[PhoneMessage] = list(self._sandbox.phones.newest(asked.get("number")))
        return content(_VIEWS.dump_json([view(each) for each in reversed(kept) if _fits(each, asked)]))

    async def show_message(self, request: Request) -> Response:
        """One message."""
        message = self._sandbox.phones.get(request.path_params["sid"])
        if message is None:
            return JSONResponse({"error": "no message of this id is kept"}, status_code=404)
        return content(view(message).model_dump_json().encode())

    async def reply(self, request: Request) -> Response:
        """Let a phone write; the inbound webhook follows."""
        try:
            reply = await read_body(request, PhoneReply)
            message = answer_of(reply, self._sandbox.phones)
        except ValidationError as error:
            return bad_request(explain(error, PhoneReply))
        except LookupError as error:
            return bad_request(str(error.args[0]))
        self._courses.hear(message)
        return content(view(message).model_dump_json().encode(), 201)


def view(message: PhoneMessage) -> PhoneMessageView:
    """A message as the control API shows it."""
    return PhoneMessageView(
        sid=message.sid,
        channel=message.channel,
        inbound=message.inbound,
        to=message.ours if message.inbound else message.number,
        from_number=message.number if message.inbound else message.ours,
        body=message.body,
        content_sid=message.content_sid,
        variables=dict(message.variables),
        status=message.status,
        error_code=message.error_code,
        segments=message.segments,
        validity=message.validity,
        token=message.token,
        created_at=message.created_at,
        connection=message.connection,
        callbacks=message.callbacks,
    )


def answer_of(reply: PhoneReply, phones: Phones) -> PhoneMessage:
    """What a phone writes, as a message.

    Raises:
        LookupError: Nobody has written to the phone, so that it is not known whom it answers.
    """
    channel, ours = reply.channel, reply.to
    if channel is None or ours is None:
        channel, ours = _last_written_by(phones, reply.number, channel, ours)
    now = datetime.now(UTC)
    return PhoneMessage(
        sid=f"SM{secrets.token_hex(16)}",
        channel=channel,
        inbound=True,
        number=reply.number,
        ours=ours,
        body=reply.body,
        segments=gsm7.segments(reply.body) if channel == "sms" else 1,
        created_at=now,
        updated_at=now,
        sent_at=now,
        status="received",
    )


def _last_written_by(
    phones: Phones, number: str, channel: Channel | None, ours: str | None
) -> tuple[Channel, str]:
    for message in phones.newest(number):
        if channel in {None, message.channel} and ours in {None, message.ours}:
            return message.channel, message.ours
    raise LookupError(f"{number}: nobody has written to this phone; say channel and to")


def _fits(message: PhoneMessage, asked: dict[str, str]) -> bool:
    # Only what is asked for is worked out: there may be a hundred thousand messages.
    return (
        asked.get("to") in {None, message.ours if message.inbound else message.number}
        and asked.get("from") in {None, message.number if message.inbound else message.ours}
        and asked.get("channel") in {None, message.channel}
        and asked.get("status") in {None, message.status}
        and asked.get("inbound") in {None, str(message.inbound).lower()}
        and ("token" not in asked or asked["token"] == message.token)
    )
