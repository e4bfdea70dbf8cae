"""Vendors' error texts, made fit to be kept."""

from __future__ import annotations

import re

_READ = 2000
_KEPT = 300
_INSTEAD = "[address]"


def redact(text: str, *known: str) -> str:
    """Take out of a vendor's text what it may have echoed.

    Args:
        text: What the vendor said.
        known: Values to take out wherever they stand, in any case.

    Returns:
        The text on one line of at most 300 characters, known values and words with an at sign replaced.
    """
    text = text[:_READ]
    for value in filter(None, known):
        text = re.sub(re.escape(value), _INSTEAD, text, flags=re.IGNORECASE)
    printable = "".join(character if character.isprintable() else " " for character in text)
    words = (_INSTEAD if "@" in word or "%40" in word else word for word in printable.split())
    return " ".join(words)[:_KEPT]
