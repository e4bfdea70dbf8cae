"""What fits into one SMS: the words, shortened where they must be, and their link, whole or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.notifications.gsm7 import EXTENDED, SINGLE, septets
from services.notifications.transliteration import percent_encoded, transliterate

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_WORDS: Final = 40
"""Septets that a link leaves to the words, or it stays out: nobody follows a link that says nothing."""

_ELLIPSIS: Final = "..."
_TOKEN: Final = re.compile(r"\S+")
# Web and e-mail addresses, with or without scheme; that some abbreviations and times look alike does no harm.
_ADDRESS: Final = re.compile(r"\w[.:/@]+\w")
_HANGING: Final = ",;:.-('\""


def fit(words: str, link: str | None = None) -> str:
    """An SMS of at most 160 septets, all of it GSM-7.

    Words are transliterated; what has no place is cut off at the end of a word, and ``...`` put there.
    Neither the link nor an address among the words is ever cut: it is there whole or it is not.

    Args:
        words: What is said.
        link: Where it leads to, on a line of its own.
    """
    tail = f"\n{percent_encoded(link)}" if link else ""
    if septets(tail) > SINGLE - LEAST_WORDS:
        tail = ""
    return (shorten(transliterate(words), SINGLE - septets(tail)) + tail).strip()


def shorten(text: str, limit: int) -> str:
    """A text of GSM-7's alphabet in at most ``limit`` septets, at least 3 of them."""
    if septets(text) <= limit:
        return text
    return max(_cuts(text, limit), key=len, default=_ELLIPSIS)


def _cuts(text: str, limit: int) -> Iterator[str]:
    """Yield what may stay of a text."""
    for token in _TOKEN.finditer(text):
        is_address = _ADDRESS.search(token[0]) is not None
        # Dots that follow an address at once would become part of it.
        word = f"{token[0]} " if is_address else token[0].rstrip(_HANGING)
        kept = text[: token.start()] + word
        if septets(kept) + len(_ELLIPSIS) <= limit:
            if word:
                yield kept + _ELLIPSIS
            continue
        if not is_address and token.start() < limit // 2:
            yield _within(text[: token.end()], limit - len(_ELLIPSIS)) + _ELLIPSIS
        return


def _within(text: str, limit: int) -> str:
    """The longest beginning of a text that takes at most ``limit`` septets."""
    taken = 0
    for place, character in enumerate(text):
        taken += 2 if character in EXTENDED else 1
        if taken > limit:
            return text[:place]
    return text
