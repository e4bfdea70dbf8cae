"""How the pages for people are rendered and answered: everything that was sent is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

# An e-mail's frame inherits this policy: its inline styles work; its scripts, forms and remote images do not.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Phones show no markup of anybody's, so nothing inline is needed; their pages have a form.
_PHONE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PHONE_HEADERS: Final = HEADERS | {"Content-Security-Policy": _PHONE_POLICY}


def page(template: str, *, status: int = 200, headers: dict[str, str] = HEADERS, **context: Any) -> Response:
    """A template, rendered."""
    return Response(render(template, **context), status, media_type="text/html", headers=headers)


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
