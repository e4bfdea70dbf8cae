"""How the pages for people are rendered and answered: everything that was sent is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

# An e-mail's frame inherits this policy: its inline styles work; its scripts, forms and remote images do not.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Pages with forms show no markup of anybody's, so nothing inline is needed.
_FORM_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
FORM_HEADERS: Final = HEADERS | {"Content-Security-Policy": _FORM_POLICY}

# Of our own pages, or of no page at all. Other sites' pages must not make people here act.
_OWN_REQUESTS: Final = frozenset({None, "same-origin", "none"})


def page(template: str, *, status: int = 200, headers: dict[str, str] = HEADERS, **context: Any) -> Response:
    """A template, rendered."""
    return Response(render(template, **context), status, media_type="text/html", headers=headers)


def form_page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A template with forms in it, rendered."""
    return page(template, status=status, headers=FORM_HEADERS, **context)


def unless_seen(request: Request, template: str, context: Mapping[str, Any]) -> Response:
    """A part of a page for the live update; 204 if its ``version`` is the one that the asking page has."""
    if request.query_params.get("seen") == context["version"]:
        return Response(status_code=204, headers=FORM_HEADERS)
    return form_page(template, **context)


def is_foreign(request: Request) -> bool:
    """Whether another site's page has sent a form here."""
    return request.headers.get("sec-fetch-site") not in _OWN_REQUESTS


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each one's first value."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}


def refusal(words: str, status: int) -> Response:
    """Why a form was not taken."""
    return Response(f"{words}\n", status, headers=FORM_HEADERS)


def render(template: str, **context: Any) -> str:
    """A template's text."""
    return _templates().get_template(template).render(context)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
    )
