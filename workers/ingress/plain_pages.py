"""The pages that people see behind links in messages: one look, no script, nothing loaded, nothing kept."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

_STYLE: Final = (
    "body{margin:0;background:#191A1D;color:#F4F5F6;font:17px/1.5 system-ui,sans-serif}"
    "main{max-width:34rem;margin:10vh auto;padding:2rem;background:#2D3033;border-radius:12px;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.3rem;margin:0 0 1rem}"
    "a{color:#00F0FF}"
    "button{font:inherit;font-weight:600;border:0;border-radius:8px;padding:.7rem 1.2rem;"
    "background:#00F0FF;color:#191A1D;cursor:pointer}"
)
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()


def headers(form_targets: Sequence[str] = ()) -> dict[str, str]:
    """The headers of every page, and of where it leads on.

    Args:
        form_targets: Origins beside our own to which a form's answer may lead: browsers hold a redirect that
            follows a form to this as well.
    """
    targets = " ".join(["'self'", *form_targets])
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
            f" form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }


def page(locale: str, title: str, body: str, status: int, form_targets: Sequence[str] = ()) -> Response:
    """A page.

    Args:
        locale: Its language.
        title: As text.
        body: As HTML, whatever came from elsewhere escaped.
        status: Of the answer.
        form_targets: As for ``headers``.
    """
    html = (
        f'<!doctype html><html lang="{locale}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, headers(form_targets))
