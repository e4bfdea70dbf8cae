"""The gallery: every message in every language, as mail clients and phones show it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from services.notifications import catalogue, phone_words, samples, sms, words
from services.notifications.render import Renderer
from services.notifications.template_codes import Template
from workers.dev.sandbox.page_answers import HEADERS, page

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.notifications.render import RenderedEmail

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Nothing but the e-mail's own styles; shown by the gallery only.
_FRAME_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_PAGE_HEADERS: Final = HEADERS | {"Content-Security-Policy": _POLICY}
_FRAME_HEADERS: Final = HEADERS | {"Content-Security-Policy": _FRAME_POLICY}

_ASKED: Final = "@media (prefers-color-scheme: dark)"
_BOTH: Final = "light dark"
_FORCED: Final = {"light": "@media not all", "dark": "@media all"}
"""The schemes, and what makes an e-mail show itself in them whatever the browser prefers."""
_SIZES: Final = ("phone", "desktop")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One message in one language, in one of the ways in which it is said.

    Attributes:
        template: Which message.
        variant: What tells it from the template's others; mostly blank, as there are none.
        locale: In which language.
        email: As an e-mail.
        sms: As an SMS.
        whatsapp: As a WhatsApp message outside a template.
        channels: Where it goes by itself.
    """

    template: Template
    variant: str
    locale: str
    email: RenderedEmail
    sms: str
    whatsapp: str
    channels: str

    @property
    def path(self) -> str:
        """Where its e-mail is shown."""
        return f"/gallery/{self.template}/{self.locale}/{self.variant or 'usual'}"


def routes() -> list[Route]:
    """The gallery's pages."""
    gallery = Gallery()
    return [
        Route("/gallery", gallery.all, methods=["GET"]),
        Route("/gallery/{template}", gallery.one, methods=["GET"]),
        Route("/gallery/{template}/{locale}/{variant}", gallery.frame, methods=["GET"]),
    ]


class Gallery:
    """Shows the exhibits; they are rendered when they are first asked for."""

    def all(self, request: Request) -> Response:
        """All messages in one language."""
        return self._page(request, None)

    def one(self, request: Request) -> Response:
        """One of them."""
        return self._page(request, request.path_params["template"])

    def frame(self, request: Request) -> Response:
        """One e-mail, alone, in a colour scheme of the asker's choice."""
        wanted, scheme = request.url.path, request.query_params.get("scheme", "light")
        found = next((exhibit for exhibit in self._exhibits if exhibit.path == wanted), None)
        if found is None or scheme not in _FORCED:
            return page("missing.html.j2", status=404)
        html = in_scheme(found.email.html, scheme)
        return Response(html, media_type="text/html", headers=_FRAME_HEADERS)

    @cached_property
    def _exhibits(self) -> list[Exhibit]:
        renderer = Renderer(samples.COMPANY)
        return [
            _exhibit(renderer, template, variant, locale, variables)
            for template in Template
            for locale in words.LOCALES
            for variant, variables in samples.variants(template, locale).items()
        ]

    def _page(self, request: Request, template: str | None) -> Response:
        locale = request.query_params.get("locale", words.LOCALES[0])
        shown = [e for e in self._exhibits if e.locale == locale and template in {None, e.template}]
        if not shown:
            return page("missing.html.j2", status=404)
        return page(
            "gallery.html.j2",
            headers=_PAGE_HEADERS,
            exhibits=shown,
            path=request.url.path,
            locale=locale,
            locales=words.LOCALES,
            sizes=_SIZES,
            schemes=tuple(_FORCED),
        )


def in_scheme(html: str, scheme: str) -> str:
    """An e-mail as a client of that colour scheme shows it, whatever the browser's own is.

    Args:
        html: The e-mail.
        scheme: ``light`` or ``dark``.
    """
    return html.replace(_ASKED, _FORCED[scheme]).replace(_BOTH, scheme)


def _exhibit(
    renderer: Renderer, template: Template, variant: str, locale: str, variables: dict[str, Any]
) -> Exhibit:
    phone = renderer.phone(template, locale, variables)
    unsubscribe_url = samples.unsubscribe_url(template)
    return Exhibit(
        template,
        variant,
        locale,
        renderer.email(template, locale, variables, unsubscribe_url=unsubscribe_url),
        sms.fit(phone.sms, samples.SHORT_LINK),
        phone_words.body(phone.whatsapp, samples.SHORT_LINK),
        ", ".join(catalogue.ROUTES[template].channels),
    )
