"""Any text in the letters that GSM-7 has, by rule: the same text gives the same result everywhere.

1. What GSM-7 has stays: é, è, à, ù, ì, ò, ñ, ü, ä, ö, å, æ, ø, ß, Ç and the euro sign among them.
2. Typographic quotes, dashes, dots and spaces, ligatures and signs become what a typewriter has.
3. A letter loses its accent (ê → e, ç → c), a digit of another script becomes ours (٣ → 3).
4. A word with a letter that has no such form, as in Arabic or Cyrillic, is left out; so are emoji, and quotes
   and spaces around nothing.
5. In a web address nothing is replaced: what GSM-7 lacks is percent-encoded, which leads to the same place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from unicodedata import category, decimal, normalize
from urllib.parse import quote

from services.notifications.gsm7 import ALPHABET, is_gsm7

if TYPE_CHECKING:
    from collections.abc import Mapping

# Ends where a browser would not take it any further, or where typography around it begins.
_WEB_ADDRESS: Final = re.compile(r"(https?://[^\s<>\"«»“”„…]+)", re.IGNORECASE)
_GUILLEMET_GAP: Final = re.compile(r"(?<=«)\s+|\s+(?=»)")
_WORD: Final = re.compile(r"[^\W_]+")
_NOTHING_QUOTED: Final = re.compile(r'"\s*"|\(\s*\)')
_SPACES: Final = re.compile(r"[^\S\n]+")
_SPACE_BEFORE: Final = re.compile(r" +(?=[.,\n]|\Z)|(?<=\n) +")

_SIGNS: Final[Mapping[str, str]] = {
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),  # noqa: RUF001 - what looks like an apostrophe is what is replaced
    **dict.fromkeys("“”„‟″«»‹›", '"'),  # noqa: RUF001 - as above
    "\t": " ",
    **dict.fromkeys("−•·", "-"),  # noqa: RUF001 - as above
    # Each sign, and at once after it what stands for it.
    **{
        entry[0]: entry[1:]
        for line in (
            "œoe ŒOE ðd ÐD đd ĐD þth ÞTh ẞSS łl ŁL ħh ĦH ŧt ŦT ıi ŋn ŊN",  # noqa: RUF001 - as above
            "©(c) ®(r) ×x ÷/ ⁄/ °o ¦| ¢c ₹INR ₽RUB ₩KRW ₪ILS ₫VND ₴UAH ₺TRY ₦NGN",  # noqa: RUF001 - as above
        )
        for entry in line.split()
    },
}
# By Unicode's general category: spaces, ends of lines and of paragraphs, dashes.
_KINDS: Final[Mapping[str, str]] = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Pd": "-"}


def transliterate(text: str) -> str:
    """The text with nothing left in it that GSM-7 lacks; its lines stay."""
    if is_gsm7(text):
        return text
    # The odd ones are the web addresses.
    pieces = _WEB_ADDRESS.split(normalize("NFC", text))
    pieces[::2] = map(_in_our_letters, pieces[::2])
    pieces[1::2] = map(percent_encoded, pieces[1::2])
    tidy = _SPACES.sub(" ", _NOTHING_QUOTED.sub("", "".join(pieces)))
    return _SPACE_BEFORE.sub("", tidy).lstrip(" ")


def percent_encoded(link: str) -> str:
    """A web address with what GSM-7 lacks percent-encoded."""
    return "".join(c if c in ALPHABET else quote(c, safe="", errors="replace") for c in link)


def _in_our_letters(text: str) -> str:
    text = _WORD.sub(_word, _GUILLEMET_GAP.sub("", text))
    return "".join(_nearest(character) or "" for character in text)


def _word(found: re.Match[str]) -> str:
    letters = [_nearest(character) for character in found[0]]
    return "" if None in letters else "".join(filter(None, letters))


@lru_cache(maxsize=4096)
def _nearest(character: str) -> str | None:
    """What stands for a character, if only nothing; None for a letter that nothing stands for."""
    if character in ALPHABET:
        return character
    if character in _SIGNS:
        return _SIGNS[character]
    parts = normalize("NFKD", character)
    if parts != character:
        nearest = [_nearest(part) for part in parts]
        return None if None in nearest else "".join(filter(None, nearest))
    kind = category(character)
    if kind.startswith("L"):
        return None
    return str(decimal(character)) if kind == "Nd" else _KINDS.get(kind, "")
