"""The page behind the link in a message: says what it is about, and takes a no or a yes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.notifications.catalogue import Category
from services.notifications.unsubscribe import ForgedError, OutdatedError
from workers.ingress import bodies, plain_pages
from workers.ingress.refusals import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from services.notifications.unsubscribe import Subscription, Unsubscribe

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"
_ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
"""The body of a mail client's one click: https://www.rfc-editor.org/rfc/rfc8058#section-3.2."""


class _Words(NamedTuple):
    title: str
    about: Mapping[Category, str]
    gets: str
    gets_none: str
    out: str
    back: str
    done_out: str
    done_back: str
    outdated: str
    owed: str
    unknown: str


_WORDS: Final[Mapping[str, _Words]] = {
    "fr": _Words(
        title="Vos messages",
        about={
            Category.DOSSIER: "l’avancement de votre dossier",
            Category.PAYMENT: "vos paiements",
            Category.REMINDER: "les rappels de commande",
            Category.OTHER: "les autres nouvelles de notre part",
        },
        gets="Vous recevez nos messages sur ce sujet : {about}.",
        gets_none="Vous ne recevez pas nos messages sur ce sujet : {about}.",
        out="Ne plus recevoir ces messages",
        back="Recevoir à nouveau ces messages",
        done_out="C’est noté : vous ne recevrez plus ces messages.",
        done_back="C’est noté : vous recevrez à nouveau ces messages.",
        outdated="Votre choix a changé depuis l’envoi de ce lien. Rien n’a été modifié.",
        owed="Les messages indispensables, comme les reçus de paiement, vous parviennent dans tous les cas.",
        unknown="Ce lien n’est pas valable. Utilisez celui d’un message plus récent.",
    ),
    "en": _Words(
        title="Your messages",
        about={
            Category.DOSSIER: "the progress of your file",
            Category.PAYMENT: "your payments",
            Category.REMINDER: "reminders of orders",
            Category.OTHER: "other news from us",
        },
        gets="You receive our messages about {about}.",
        gets_none="You do not receive our messages about {about}.",
        out="Stop these messages",
        back="Receive these messages again",
        done_out="Done: you will not receive these messages any more.",
        done_back="Done: you will receive these messages again.",
        outdated="Your choice has changed since this link was sent. Nothing was done.",
        owed="Messages that you cannot do without, such as receipts of payment, reach you in any case.",
        unknown="This link is not valid. Use the one in a newer message.",
    ),
}


@dataclass(frozen=True)
class UnsubscribePage:
    """Answers at ``/u/{token}``. GET and HEAD change nothing.

    Attributes:
        unsubscribe: Does what is asked for.
        locale: The language of people who have not chosen one.
    """

    unsubscribe: Unsubscribe
    locale: str

    def routes(self) -> list[Route]:
        """Its address."""
        return [
            Route("/u/{token}", self.show, methods=["GET"]),
            Route("/u/{token}", self.take, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Say what the link is about."""
        return await run_in_threadpool(self._show, request.path_params["token"])

    async def take(self, request: Request) -> Response:
        """Do what the page's button or a mail client's one click says."""
        try:
            given = _fields(
                request.headers.get("Content-Type", ""), await bodies.bounded(request, BODY_LIMIT)
            )
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        return await run_in_threadpool(self._take, request.path_params["token"], given)

    def _show(self, token: str) -> Response:
        try:
            return self._page(self.unsubscribe.look(token))
        except ForgedError:
            return self._unknown()
        except SQLAlchemyError as error:
            return _away(error)

    def _take(self, token: str, given: Mapping[str, str]) -> Response:
        try:
            if given.get(_ONE_CLICK[0]) == _ONE_CLICK[1]:
                return self._page(self.unsubscribe.one_click(token), done=True)
            if given.get("want") not in {"out", "back"}:
                return PlainTextResponse("neither a click nor the page's button", 400)
            out = given["want"] == "out"
            said = self.unsubscribe.say(token, opted_out=out, seen=given.get("seen", ""))
            return self._page(said, done=True)
        except ForgedError:
            return self._unknown()
        except OutdatedError:
            return self._outdated(token)
        except SQLAlchemyError as error:
            return _away(error)

    def _outdated(self, token: str) -> Response:
        stands = self.unsubscribe.look(token)
        return self._page(stands, 409, said=_WORDS[stands.locale or self.locale].outdated)

    def _page(
        self, stands: Subscription, status: int = 200, *, done: bool = False, said: str = ""
    ) -> Response:
        locale = stands.locale or self.locale
        words = _WORDS[locale]
        if done:
            said = words.done_out if stands.opted_out else words.done_back
        state = (words.gets_none if stands.opted_out else words.gets).format(
            about=words.about[stands.category]
        )
        want, label = ("back", words.back) if stands.opted_out else ("out", words.out)
        button = (
            f'<form method="post"><input type="hidden" name="seen" value="{escape(stands.seen)}">'
            f'<button name="want" value="{want}">{escape(label)}</button></form>'
        )
        texts = [text for text in (said, "" if done else state, words.owed) if text]
        return plain_pages.page(
            locale, words.title, "".join(f"<p>{escape(text)}</p>" for text in texts) + button, status
        )

    def _unknown(self) -> Response:
        words = _WORDS[self.locale]
        return plain_pages.page(self.locale, words.title, f"<p>{escape(words.unknown)}</p>", 404)


def _away(error: SQLAlchemyError) -> Response:
    log.error("an unsubscribe link can't be answered (%s)", type(error).__name__)
    return PlainTextResponse("try again", 503, plain_pages.headers())


def _fields(content_type: str, body: bytes) -> Mapping[str, str]:
    """The fields of a form, in either of the two ways that RFC 8058 lets mail clients write it.

    Raises:
        Refused: It is none.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _FORM:
        return dict(bodies.form(body))
    if media_type != "multipart/form-data":
        raise Malformed("not a form")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser().parsebytes(head + body).get_payload()
    return {_name(part): _value(part) for part in parts if isinstance(part, Message)}


def _name(part: Message) -> str:
    return str(part.get_param("name", "", "content-disposition"))


def _value(part: Message) -> str:
    value = part.get_payload()
    return value.strip() if isinstance(value, str) else ""
