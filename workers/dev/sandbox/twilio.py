"""Twilio's Messages as Twilio has them: create, list, fetch, update, delete; with faults on demand."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.routing import Route

from services.notifications import gsm7
from workers.dev.sandbox import twilio_errors as codes
from workers.dev.sandbox.behaviours import fault_of_number
from workers.dev.sandbox.desk import Desk
from workers.dev.sandbox.exchange import JSON, Answer, Exchange, Refusal, TooLargeError
from workers.dev.sandbox.phones import PhoneMessage, attempt_of
from workers.dev.sandbox.twilio_errors import error, error_body, invalid, text_of
from workers.dev.sandbox.twilio_rules import MAX_BODY, examine, read_form
from workers.dev.sandbox.twilio_views import API, page, resource
from workers.dev.sandbox.wire import Behaviour

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.twilio_courses import Courses
    from workers.dev.sandbox.twilio_rules import Submission

_UPDATES = frozenset({"Status", "Body"})
_CANCELABLE = frozenset({"accepted", "scheduled", "queued"})
_UNDER_WAY = _CANCELABLE | {"sending"}


def routes(sandbox: Sandbox, courses: Courses) -> list[Route]:
    """Twilio's part of the sandbox."""
    messages = Messages(sandbox, courses)
    return [
        Route(f"/{API}/Accounts/{{account}}/Messages.json", messages),
        Route(f"/{API}/Accounts/{{account}}/Messages/{{sid}}.json", messages),
        Route(f"/{API}/{{rest:path}}", messages),
    ]


class TwilioManners:
    """How Twilio words an error that a fault asks for."""

    cut_answer = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"bo'

    def refusal(self, status: int, retry_after: int | None) -> Answer:
        """An error of this status; its code is the one that Twilio makes of the status."""
        code = 20_000 + status if status >= HTTPStatus.NOT_FOUND else codes.AUTHENTICATE
        words = text_of(code) if code in codes.TEXTS else HTTPStatus(status).phrase
        headers = [JSON]
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
        return Answer(status, error_body(code, words, status), headers)


class Messages:
    """The endpoint of all messages and of each."""

    def __init__(self, sandbox: Sandbox, courses: Courses) -> None:
        self._sandbox = sandbox
        self._courses = courses
        self._desk = Desk(sandbox, TwilioManners())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        self._sandbox.tally.request(exchange.connection)
        try:
            body = await exchange.read(MAX_BODY)
            self._authenticate(exchange, scope)
            if scope["path"].endswith("/Messages.json") and scope["method"] == "POST":
                await self._create(exchange, body)
            else:
                await self._look(exchange, scope, body)
        except ClientDisconnect:
            return
        except TooLargeError:
            await self._desk.refuse(exchange, error(codes.TOO_LONG).answer)
        except Refusal as refusal:
            await self._desk.refuse(exchange, refusal.answer)

    def _authenticate(self, exchange: Exchange, scope: Scope) -> None:
        controls = self._sandbox.controls
        pair = f"{controls.account_sid}:{controls.auth_token}".encode()
        account = scope["path_params"].get("account", controls.account_sid)
        given = exchange.headers.get(b"authorization", b"")
        if given != b"Basic " + base64.b64encode(pair) or account != controls.account_sid:
            raise error(codes.AUTHENTICATE)

    async def _create(self, exchange: Exchange, body: bytes) -> None:
        kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/x-www-form-urlencoded":
            raise error(codes.INVALID_PARAMETER, "The body is not a form")
        submission = examine(body, self._sandbox.controls.templates)
        if submission.channel == "sms" and self._sandbox.phones.has_stopped(
            submission.ours, submission.number
        ):
            raise error(codes.STOPPED)
        behaviour = self._sandbox.behaviours.take(submission.channel, submission.number)
        if behaviour.does == "refuse":
            raise error(behaviour.code or codes.INVALID_TO)
        address = f"whatsapp:{submission.number}" if submission.channel == "whatsapp" else submission.number
        fault = self._sandbox.faults.take([address]) or fault_of_number(submission.number)
        await self._desk.serve(exchange, fault, partial(self._accept, exchange, submission, behaviour))

    def _accept(self, exchange: Exchange, submission: Submission, behaviour: Behaviour) -> Answer:
        now = datetime.now(UTC)
        message = PhoneMessage(
            sid=f"{'MM' if submission.media else 'SM'}{secrets.token_hex(16)}",
            channel=submission.channel,
            inbound=False,
            number=submission.number,
            ours=submission.ours,
            body=submission.body,
            segments=gsm7.segments(submission.body) if submission.channel == "sms" else 1,
            created_at=now,
            updated_at=now,
            status="queued",
            content_sid=submission.content_sid,
            variables=submission.variables,
            callback=submission.callback,
            token=attempt_of(submission.callback),
            validity=submission.validity,
            media=submission.media,
            connection=exchange.connection.id,
        )
        if self._is_outside_window(message, now):
            behaviour = Behaviour(to="*", does="fail", code=codes.OUTSIDE_WINDOW)
        self._sandbox.phones.add(message)
        self._sandbox.tally.accept(message.channel)
        shown = self._shown(message, 201)
        self._courses.begin(message, behaviour)
        return shown

    def _is_outside_window(self, message: PhoneMessage, now: datetime) -> bool:
        return (
            self._sandbox.controls.whatsapp_window
            and message.channel == "whatsapp"
            and message.content_sid is None
            and not self._sandbox.phones.in_window(message.ours, message.number, now)
        )

    async def _look(self, exchange: Exchange, scope: Scope, body: bytes) -> None:
        """Whatever is no new message."""
        if scope["path"].endswith("/Messages.json"):
            if scope["method"] != "GET":
                raise error(codes.METHOD_NOT_ALLOWED)
            query = scope["query_string"].decode("latin-1")
            address = dict(parse_qsl(query)).get("To", "")
            act: Callable[[], Answer] = partial(self._list, query)
        else:
            message = self._sandbox.phones.get(scope["path_params"].get("sid", ""))
            if message is None:
                raise error(codes.NOT_FOUND, f"The requested resource {scope['path']} was not found")
            address = message.to
            act = partial(self._touch, scope["method"], message, body)
        await self._desk.serve(exchange, self._sandbox.faults.take([address], "look"), act)

    def _list(self, query: str) -> Answer:
        controls = self._sandbox.controls
        return _json(page(self._sandbox.phones, controls.account_sid, query, controls.price_delay))

    def _touch(self, method: str, message: PhoneMessage, body: bytes) -> Answer:
        match method:
            case "GET":
                return self._shown(message)
            case "POST":
                return self._update(message, body)
            case "DELETE":
                self._must_be_complete(message, "delete")
                self._sandbox.phones.delete(message.sid)
                return Answer(204)
        raise error(codes.METHOD_NOT_ALLOWED)

    def _update(self, message: PhoneMessage, body: bytes) -> Answer:
        asked = dict(read_form(body, _UPDATES))
        if asked.get("Status", "canceled") != "canceled":
            raise invalid("Status", asked["Status"])
        if asked.get("Body"):
            raise invalid("Body", asked["Body"])
        if "Status" in asked:
            if message.status not in _CANCELABLE:
                raise error(codes.NOT_CANCELABLE)
            message.status = "canceled"
        if "Body" in asked:
            self._must_be_complete(message, "redact")
            message.body = ""
        message.updated_at = datetime.now(UTC)
        self._sandbox.phones.touched()
        return self._shown(message)

    def _must_be_complete(self, message: PhoneMessage, verb: str) -> None:
        if message.status in _UNDER_WAY:
            raise error(codes.NOT_COMPLETE, f"Cannot {verb} message because delivery has not been completed.")

    def _shown(self, message: PhoneMessage, status: int = 200) -> Answer:
        controls = self._sandbox.controls
        return _json(resource(message, controls.account_sid, controls.price_delay), status)


def _json(content: dict[str, Any], status: int = 200) -> Answer:
    return Answer(status, json.dumps(content).encode(), [JSON])
