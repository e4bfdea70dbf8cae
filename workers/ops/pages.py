"""How the pages are rendered and answered: nothing inline, nothing from elsewhere, everything escaped."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from workers.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_HERE: Final = Path(__file__).parent
LOCALES: Final = ("fr", "en")
LANGUAGE_COOKIE: Final = "fleet-ops-language"

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: browsers would hide the origin of our own forms with it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
ASSETS: Final = {
    "ops.css": "text/css",
    "overview.js": "text/javascript",
    "vendor/uplot.css": "text/css",
    "vendor/uplot.js": "text/javascript",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SHARE: Final = {"fr": "#,##0.#\u00a0%", "en": "#,##0.#%"}
_MONEY: Final = {"fr": "#,##0.00##\u00a0¤", "en": "¤#,##0.00##"}


@dataclass(frozen=True)
class View:
    """For whom a page is rendered.

    Attributes:
        locale: In which language.
        root: From the page to the overview, as a relative address: whatever a proxy puts before it stays.
        here: The page itself, from the overview, for coming back to it.
        who: Who is signed in; empty where nobody is.
        done: What has just been done, as the address says, and to how many rows.
        flower: Where Flower is; empty where nobody knows.
    """

    locale: str
    root: str
    here: str
    who: str = ""
    done: tuple[str, int] | None = None
    flower: str = ""

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """A template, rendered."""
        html = self.render(template, **context)
        return Response(html, status, media_type="text/html", headers=HEADERS)

    def render(self, template: str, **context: Any) -> str:
        """A template's text; it has the view as ``v``, words as ``t``, and the formats."""
        tools = {"v": self, "t": self.say, "asset": self.asset, "link": self.link, "masked": masked}
        formats = {
            "age": self.age,
            "moment": moment,
            "money": self.money,
            "share": self.share,
            "number": self.number,
        }
        return _templates().get_template(template).render(tools | formats | context)

    def say(self, key: str, **values: object) -> str:
        """The words of a key, such as ``list.tries``; of a key that has none, its last part."""
        said = words(self.locale).get(key)
        return key.rpartition(".")[2] if said is None else said.format(**values)

    def link(self, path: str, **query: object) -> str:
        """An address below the overview; what is None is left out of the query."""
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.root}{path}{'?' if given else ''}{urlencode(given, doseq=True)}" or "./"

    def asset(self, name: str) -> str:
        """A file of the pages' own, under an address that changes with it."""
        return f"{self.root}static/{name}?{_digest(name)}"

    def age(self, seconds: float | None) -> str:
        """A span of time, such as ``12 s``."""
        if seconds is None:
            return "–"
        for limit, unit, word in ((2 * _MINUTE, 1, "s"), (2 * _HOUR, _MINUTE, "min"), (2 * _DAY, _HOUR, "h")):
            if seconds < limit:
                return f"{seconds / unit:.0f} {word}"
        return f"{seconds / _DAY:.0f} {self.say('unit.day')}"

    def number(self, value: float) -> str:
        """A number as people of the language write it."""
        return format_decimal(value, locale=self.locale)

    def share(self, value: float) -> str:
        """A share as per cent."""
        return format_percent(value, _SHARE[self.locale], locale=self.locale)

    def money(self, costs: Mapping[str, float]) -> str:
        """What something would cost, by currency."""
        amounts = [
            format_currency(amount, unit, _MONEY[self.locale], self.locale, currency_digits=False)
            for unit, amount in costs.items()
        ]
        return self.say("cost.about", amounts=" + ".join(amounts)) if amounts else self.say("cost.unknown")

    def notice(self, key: str, status: int) -> Response:
        """A page that says why there is none."""
        title, told = self.say(f"error.{key}"), self.say(f"error.{key}_more")
        return self.page("notice.html.j2", status, title=title, told=told)


def moment(at: datetime | None) -> str:
    """A time, UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "–"


def locale_of(request: Request, usual: str) -> str:
    """The language that somebody has chosen, or that their browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LOCALES:
        return chosen
    for part in request.headers.get("Accept-Language", "").split(","):
        language = part.strip()[:2].lower()
        if language in LOCALES:
            return language
    return usual


def asset(name: str) -> Response | None:
    """A file of the pages' own; None where there is none of that name."""
    if name not in ASSETS:
        return None
    kept = HEADERS | {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(_content(name), media_type=ASSETS[name], headers=kept)


@cache
def words(locale: str) -> Mapping[str, str]:
    """All words of a language, by keys such as ``list.tries``."""
    sections = tomllib.loads((_HERE / "words" / f"{locale}.toml").read_text("utf-8"))
    return {f"{section}.{key}": text for section, said in sections.items() for key, text in said.items()}


@cache
def _content(name: str) -> bytes:
    return (_HERE / "static" / name).read_bytes()


@cache
def _digest(name: str) -> str:
    return sha256(_content(name)).hexdigest()[:12]


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
