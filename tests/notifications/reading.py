"""What the tests of the words share: made-up variables, and a reader of the pages."""

from __future__ import annotations

from html.parser import HTMLParser

from services.notifications import words
from services.notifications.declarations import VARIABLES, Kind
from services.notifications.render import Company, Renderer
from services.notifications.template_codes import Template

URL = "https://app.example.com/dossiers/8f2c?tab=documents&page=1"
EVERY = [(template, locale) for template in Template for locale in words.LOCALES]
RENDERER = Renderer(Company("Partners VRAI"))
HOSTILE = {
    "quotes": "L'\"O`Neil\" d\u2019Aïn' onclick='x",
    "brackets": "</title></style><script>alert(1)</script><a href=http://evil.example>x</a><!--",
    "template": "{{ config }} {% raw %} ${x} %(name)s",
    "emoji": "Zoé 👩‍👩‍👧‍👦 🇫🇷",
    "right to left": "محمد \u202eلحسن\u202c \u2067x",
    "long": "é" * 200,
    "newlines": "Jeanne\r\n\r\nBcc: x@example.com\n\u2028Martin\x00\x1b[31m",
}
VOID = {"meta", "br", "img", "hr", "link", "input"}


def sample(template: Template, text: str = "Exemple", **changes: object) -> dict[str, object]:
    by_kind: dict[Kind, object] = {
        Kind.LINE: text,
        Kind.LINES: text,
        Kind.MINOR_UNITS: 99900,
        Kind.COUNT: 2,
        Kind.FLAG: False,
        Kind.DATE: "2026-12-21",
        Kind.WEB_ADDRESS: URL,
    }
    return {name: by_kind[variable.kind] for name, variable in VARIABLES[template].items()} | changes


class Page(HTMLParser):
    """Reads a page as a browser would begin to: its text, its links, whether each tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, frozenset[str]]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.problems: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> left open" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, frozenset(name for name, _ in attrs)))
        self.links += [
            value or "" for name, value in attrs if name in {"href", "src", "action", "background"}
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> out of order")

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)
