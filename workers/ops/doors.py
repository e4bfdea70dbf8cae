"""What lets a request in: signed in, and if it changes something, sent by one of our own pages."""

from __future__ import annotations

import logging
import time
from asyncio import Semaphore
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from workers.ingress import bodies
from workers.ingress.refusals import Refused
from workers.ops import pages
from workers.ops.pages import HEADERS, View
from workers.ops.sign_in import HOURS, NAME_LENGTH, Patience, Seal, cookie_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.datastructures import Headers
    from starlette.requests import Request

    Fields = Mapping[str, Sequence[str]]
    Handler = Callable[[Request, View, Fields], Response]
    Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 16_384
_DIGITS: Final = 6
SIDE_BY_SIDE: Final = 4
"""Pages that are put together at once; the threads that take callbacks wait for none of them."""


@dataclass
class Doors:
    """Signs people in and out, and keeps the others out.

    Attributes:
        seal: Makes and reads sessions.
        secure: Whether browsers are to send the session over HTTPS only.
        locale: The language of those who ask for none of ours.
        flower: Where Flower is; empty where nobody knows.
        patience: With wrong passwords.
    """

    seal: Seal
    secure: bool
    locale: str
    flower: str = ""
    patience: Patience = field(default_factory=lambda: Patience(time.monotonic))
    _turns: Semaphore = field(default_factory=lambda: Semaphore(SIDE_BY_SIDE))

    @property
    def cookie(self) -> str:
        """The session's cookie."""
        return cookie_name(secure=self.secure)

    def view(self, request: Request) -> View:
        """For whom a page is rendered."""
        path = request.url.path
        below = path.partition("/ops/")[2]
        query = f"?{request.url.query}" if request.url.query else ""
        root = "../" * below.count("/")
        done, count = (request.query_params.get(name, "") for name in ("done", "count"))
        told = (done, int(count)) if done.isalpha() and count.isdecimal() and len(count) < _DIGITS else None
        locale = pages.locale_of(request, self.locale)
        return View(locale, root, f"{below}{query}", done=told, flower=self.flower)

    def signed_in(self, handler: Handler) -> Endpoint:
        """A page for those who are signed in; the others are asked to sign in and led back."""

        async def endpoint(request: Request) -> Response:
            fields: Fields = {}
            if request.method == "POST":
                try:
                    fields = await posted(request)
                except Refused as refused:
                    return Response(f"{refused}\n", refused.status, headers=HEADERS)
            async with self._turns:
                return await run_in_threadpool(self._answer, request, handler, fields)

        return endpoint

    def _answer(self, request: Request, handler: Handler, fields: Fields) -> Response:
        view = self.view(request)
        try:
            who = self.seal.read(request.cookies.get(self.cookie, ""))
            if who is None:
                return self._send_to_sign_in(request, view)
            return handler(request, replace(view, who=who), fields)
        except SQLAlchemyError as error:
            # Without its text, which may quote rows.
            log.warning("an operators' page can't be answered (%s)", type(error).__name__)
            return view.notice("away", 503)

    def _send_to_sign_in(self, request: Request, view: View) -> Response:
        if request.method != "GET" or request.url.path.endswith(".json"):
            return Response("sign in\n", 401, headers=HEADERS)
        asked = f"?next={quote(view.here)}" if view.here else ""
        return led(f"{view.root}sign-in{asked}")

    async def show(self, request: Request) -> Response:
        """The form."""
        return self.view(request).page("sign_in.html.j2", told="", name="")

    async def take(self, request: Request) -> Response:
        """Sign somebody in. Of wrong passwords an address has a few, then it waits, longer each time."""
        try:
            fields = await posted(request)
        except Refused as refused:
            return Response(f"{refused}\n", refused.status, headers=HEADERS)
        view, address = self.view(request), request.client.host if request.client else ""
        user, password, name = (first(fields, key) for key in ("user", "password", "name"))
        name = " ".join(name.split())
        if wait := self.patience.wait(address):
            answer = view.page(
                "sign_in.html.j2", 429, told=view.say("sign_in.wait", wait=view.age(wait + 1)), name=name
            )
            answer.headers["Retry-After"] = str(int(wait) + 1)
            return answer
        if not self.seal.opens(user, password):
            self.patience.failed(address)
            log.warning("a sign-in to the operators' pages was refused")
            return view.page("sign_in.html.j2", 403, told=view.say("sign_in.wrong"), name=name)
        if not name or len(name) > NAME_LENGTH or not name.isprintable():
            told = view.say("sign_in.name_needed", most=NAME_LENGTH)
            return view.page("sign_in.html.j2", 400, told=told, name=name)
        self.patience.succeeded(address)
        try:
            session = await run_in_threadpool(self.seal.session, name)
        except SQLAlchemyError:
            return view.notice("away", 503)
        answer = led(f"{view.root}{local(request.query_params.get('next', ''))}" or "./")
        answer.set_cookie(
            self.cookie, session, max_age=HOURS * 3600, secure=self.secure, httponly=True, samesite="strict"
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """Sign somebody out."""
        if from_elsewhere(request.headers):
            return Response("not by our own page\n", 403, headers=HEADERS)
        answer = led("sign-in")
        answer.delete_cookie(self.cookie, secure=self.secure, httponly=True, samesite="strict")
        return answer

    async def language(self, request: Request) -> Response:
        """Keep the language that somebody has chosen, and lead back."""
        chosen = request.path_params["locale"]
        if chosen not in pages.LOCALES:
            return Response("no such language\n", 404, headers=HEADERS)
        view = self.view(request)
        answer = led(f"{view.root}{local(request.query_params.get('next', ''))}")
        answer.set_cookie(
            pages.LANGUAGE_COOKIE,
            chosen,
            max_age=365 * 86400,
            secure=self.secure,
            httponly=True,
            samesite="strict",
        )
        return answer


def led(address: str) -> Response:
    """Lead on, to a relative address."""
    return Response(status_code=303, headers=HEADERS | {"Location": address})


def local(address: str) -> str:
    """An address below the overview, as ``View.here`` gives it; the overview where it is anything else."""
    parts = urlsplit(address)
    plain = not (parts.scheme or parts.netloc) and not address.startswith(("/", "\\", "."))
    return (
        address
        if plain and address.isprintable() and ".." not in parts.path and ":" not in parts.path
        else ""
    )


def first(fields: Fields, name: str) -> str:
    """The first value of a field; empty where there is none."""
    return next(iter(fields.get(name, ())), "").strip()


async def posted(request: Request) -> Fields:
    """The fields of one of our own forms.

    Raises:
        Refused: It is none, or another site's page has sent it.
    """
    if from_elsewhere(request.headers):
        raise _NotOurs
    fields: dict[str, list[str]] = {}
    for name, value in bodies.form(await bodies.bounded(request, BODY_LIMIT)):
        fields.setdefault(name, []).append(value)
    return fields


def from_elsewhere(headers: Headers) -> bool:
    """Whether anything but our own page has sent a form: browsers tell it in one of these two headers."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site != "same-origin"
    return urlsplit(headers.get("Origin", "")).netloc != headers.get("Host", "")


class _NotOurs(Refused):
    status = 403
    reason = "elsewhere"

    def __init__(self) -> None:
        super().__init__("not by our own page")
