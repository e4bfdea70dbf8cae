"""The phone page: each number's SMS and WhatsApp messages as its owner sees them, and a line to answer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pydantic import ValidationError
from starlette.responses import RedirectResponse
from starlette.routing import Route

from workers.dev.sandbox.page_answers import (
    FORM_HEADERS,
    form_of,
    form_page,
    is_foreign,
    refusal,
    unless_seen,
)
from workers.dev.sandbox.phone_control import answer_of
from workers.dev.sandbox.wire import PhoneReply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.twilio_courses import Courses

_SHOWN = 200
_NAMES: Final = {"sms": "SMS", "whatsapp": "WhatsApp"}
_TICKS: Final = {"queued": "◷", "sent": "✓", "delivered": "✓✓", "read": "✓✓"}


def routes(sandbox: Sandbox, courier: Courier, courses: Courses) -> list[Route]:
    """The phones' pages."""
    pages = PhonePages(sandbox, courier, courses)
    return [
        Route("/phones", pages.phones, methods=["GET"]),
        Route("/phones/list", pages.listing, methods=["GET"]),
        Route("/phones/thread", pages.thread, methods=["GET"]),
        Route("/phones/{number}", pages.phone, methods=["GET"]),
        Route("/phones/{number}", pages.answer, methods=["POST"]),
    ]


class PhonePages:
    """Renders the phone page and takes answers.

    Args:
        sandbox: What it shows.
        courier: Whether callbacks are held is shown too.
        courses: Told of what phones answer.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier, courses: Courses) -> None:
        self._sandbox = sandbox
        self._courier = courier
        self._courses = courses

    async def phones(self, _: Request) -> Response:
        """The list, with no phone open."""
        return form_page("phones.html.j2", **self._list(""))

    async def phone(self, request: Request) -> Response:
        """The list, and one phone open beside it."""
        number = request.path_params["number"]
        if not self._sandbox.phones.knows(number):
            return form_page("missing.html.j2", status=404)
        return form_page("phones.html.j2", **self._list(number), **self._thread(number), **self._ways(number))

    async def listing(self, request: Request) -> Response:
        """The list alone, for the live update; 204 if it is as the asking page has seen it."""
        return unless_seen(request, "phone_list.html.j2", self._list(request.query_params.get("open", "")))

    async def thread(self, request: Request) -> Response:
        """One conversation alone, likewise."""
        number = request.query_params.get("number", "")
        return unless_seen(request, "phone_thread.html.j2", self._thread(number) | self._state())

    async def answer(self, request: Request) -> Response:
        """Take what a person writes on a phone."""
        if is_foreign(request):
            return refusal("only the sandbox's own pages may answer", 403)
        form = await form_of(request)
        number = request.path_params["number"]
        given = {"number": number, "body": form.get("word") or form.get("body") or ""}
        if channel := form.get("channel"):
            given["channel"] = channel
        try:
            message = answer_of(PhoneReply.model_validate(given), self._sandbox.phones)
        except (ValidationError, LookupError):
            return refusal("nothing to send, or nobody to send it to", 400)
        self._courses.hear(message)
        return RedirectResponse(f"/phones/{quote(number)}", 303, headers=FORM_HEADERS)

    def _state(self) -> dict[str, Any]:
        held = self._courier.held
        version = f"{self._sandbox.phones.version}{'-held' if held else ''}"
        return {"names": _NAMES, "held": held, "version": version}

    def _list(self, number: str) -> dict[str, Any]:
        phones = self._sandbox.phones
        numbers = list(islice(phones.numbers(), _SHOWN + 1))
        newest = [next(phones.newest(each)) for each in numbers[:_SHOWN]]
        return {
            "number": number,
            "phones": newest,
            "total": len(phones),
            "more_phones": len(numbers) > _SHOWN,
            **self._state(),
        }

    def _thread(self, number: str) -> dict[str, Any]:
        newest = list(islice(self._sandbox.phones.newest(number), _SHOWN + 1))
        return {
            "thread": newest[:_SHOWN][::-1],
            "more_messages": len(newest) > _SHOWN,
            "ticks": _TICKS,
        }

    def _ways(self, number: str) -> dict[str, Any]:
        phones = self._sandbox.phones
        ways: dict[str, str] = {}
        for message in phones.newest(number):
            ways.setdefault(message.channel, message.ours)
        return {
            "ways": [
                {"channel": channel, "name": _NAMES[channel], "ours": ours} for channel, ours in ways.items()
            ],
            "stopped": "sms" in ways and phones.has_stopped(ways["sms"], number),
        }
