"""How text is set: other people's text made safe to print, and the spaces of French punctuation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from jinja2.ext import Extension
from jinja2.lexer import TOKEN_DATA, Token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2.lexer import TokenStream

NBSP: Final = "\N{NO-BREAK SPACE}"
NARROW: Final = "\N{NARROW NO-BREAK SPACE}"

_LINE_BREAK: Final = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Other controls, lone surrogates (no encoder takes them), and the marks that reverse the text after them.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_SPACES: Final = re.compile("[ \t\n]+")
_BLANK_LINES: Final = re.compile("\n{3,}")
_FRENCH_GAP: Final = re.compile("(?<=«) | (?=[:»])")
_NARROW_FRENCH_GAP: Final = re.compile(" (?=[;!?])")


def tidy_lines(text: str) -> str:
    """The text without unprintable characters, its lines kept, at most one of them blank in a row."""
    if (
        text.replace(NBSP, "").replace(NARROW, "").isprintable()
    ):  # nearly always, and far quicker than finding nothing to replace
        return text.strip()
    text = _UNPRINTABLE.sub("", _LINE_BREAK.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", "\n".join(map(str.rstrip, text.split("\n")))).strip()


def one_line(text: str) -> str:
    """The text on a single line, without unprintable characters; non-breaking spaces stay."""
    return _SPACES.sub(" ", tidy_lines(text))


def shorten(text: str, limit: int) -> str:
    """The text, cut with an ellipsis at a space where one is near, to at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words = cut.rpartition(" ")[0]
    # A joiner (U+200D) at the cut would tie the ellipsis to half an emoji.
    return (words if len(words) > limit // 2 else cut).rstrip(" \u200d") + "…"


def french(text: str) -> str:
    """The text, written with ordinary spaces, with the spaces of French punctuation made non-breaking."""
    return _FRENCH_GAP.sub(NBSP, _NARROW_FRENCH_GAP.sub(NARROW, text))


class FrenchSpacing(Extension):
    """Makes the spaces of French punctuation non-breaking in the templates of ``fr/``.

    Only the templates' own words are touched, neither variables nor expressions; so the files are written
    with ordinary spaces, which people can see.
    """

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Yield the tokens of one template, its words respaced."""
        in_french = stream.name is not None and stream.name.startswith("fr/")
        for token in stream:
            if in_french and token.type == TOKEN_DATA:
                yield Token(token.lineno, TOKEN_DATA, french(token.value))
            else:
                yield token
