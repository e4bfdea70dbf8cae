"""Following a short link: people are led on, programs that only look are not counted."""

from __future__ import annotations

import html
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.notifications.links import PATH, Lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from services.notifications.links import Links

log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS: Final = _HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
}
# A browser that fetches ahead says so: Sec-Purpose (Fetch standard), the others in older ones.
_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
# Messengers that draw a preview, mail and link scanners: they name themselves so.
_ROBOT: Final = re.compile(
    r"bot\b|crawl|spider|scan|preview|facebookexternalhit|^whatsapp/|python-|curl/|wget/|okhttp",
    re.IGNORECASE,
)

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body{{font:18px/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1.2em}}</style>
</head>
<body>
<p>{french}<br><a href="{site}" rel="noreferrer">{site}</a></p>
<p lang="en">{english}<br><a href="{site}" rel="noreferrer">{site}</a></p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Apology:
    """An answer to those who can't be led on."""

    status: int
    title: str
    french: str
    english: str


_LOST: Final[Mapping[Lost, _Apology]] = {
    Lost.UNKNOWN: _Apology(
        404,
        "Lien introuvable",
        "Ce lien n\N{RIGHT SINGLE QUOTATION MARK}existe pas ou plus. Votre espace client est ici :",
        "This link does not exist, or no longer does. Your account is here:",
    ),
    Lost.EXPIRED: _Apology(
        410,
        "Lien expiré",
        "Ce lien a expiré. Vous retrouvez tout dans votre espace client :",
        "This link has expired. You will find everything in your account:",
    ),
}
_AWAY: Final = _Apology(
    503,
    "Lien momentanément indisponible",
    "Ce lien ne répond pas pour le moment. Réessayez dans une minute, ou ouvrez votre espace client :",
    "This link does not answer right now. Try again in a minute, or open your account:",
)


@dataclass(frozen=True)
class ShortLinks:
    """The pages behind short links.

    Attributes:
        links: Knows where they lead.
    """

    links: Links

    def routes(self) -> list[Route]:
        """Where they are; HEAD is answered as GET."""
        return [Route(f"{PATH}/{{token}}", self.follow, methods=["GET"])]

    async def follow(self, request: Request) -> Response:
        """Lead on with 302; 404, 410 or 503 with a page where that can't be."""
        token = request.path_params["token"]
        by_person = request.method == "GET" and not _only_looks(request.headers)
        try:
            found = await run_in_threadpool(self.links.follow, token, count=by_person)
        except SQLAlchemyError as error:
            log.warning("a short link can't be followed for now (%s)", type(error).__name__)
            return self._page(_AWAY)
        if isinstance(found, Lost):
            return self._page(_LOST[found])
        return Response(status_code=302, headers=_HEADERS | {"Location": found})

    def _page(self, apology: _Apology) -> Response:
        page = _PAGE.format(
            title=apology.title,
            french=apology.french,
            english=apology.english,
            site=html.escape(self.links.app_url),
        )
        return HTMLResponse(page, apology.status, _PAGE_HEADERS)


def _only_looks(headers: Headers) -> bool:
    """Whether a program asks that shows the page to nobody, or not yet."""
    ahead = (headers.get(name, "").lower() for name in _AHEAD)
    return any(value.startswith(("prefetch", "preview")) for value in ahead) or (
        _ROBOT.search(headers.get("User-Agent", "")) is not None
    )
