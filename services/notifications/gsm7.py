"""How much room a text takes in an SMS, and into how many parts it is cut, each charged as one.

Source: 3GPP TS 23.038 (once GSM 03.38), tables 6.2.1 and 6.2.1.1, for the alphabet and its extension; Twilio,
"What is GSM-7 Character Encoding?" and "What is UCS-2 Character Encoding?", for the lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SINGLE: Final = 160
"""Septets that an SMS of one part holds."""

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters of one septet; the French ç, ê and œ are not among them, the capital Ç is."""

EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Sent as an escape and a second septet; the two are never torn apart."""

ALPHABET: Final = BASIC | EXTENDED

_PART: Final = 153
_UCS2_SINGLE, _UCS2_PART = 70, 67
_BASIC_PLANE_END: Final = 0xFFFF


def is_gsm7(text: str) -> bool:
    """Whether a text can be sent in GSM-7; with one character outside of it, all goes as UCS-2."""
    return ALPHABET.issuperset(text)


def septets(text: str) -> int:
    """The septets that a text of ``ALPHABET`` takes."""
    return len(text) + sum(character in EXTENDED for character in text)


def segments(text: str) -> int:
    """The parts into which a text is cut, whatever its alphabet; 1 for an empty one."""
    if is_gsm7(text):
        return _parts((1 + (character in EXTENDED) for character in text), SINGLE, _PART)
    units = (1 + (ord(character) > _BASIC_PLANE_END) for character in text)
    return _parts(units, _UCS2_SINGLE, _UCS2_PART)


def _parts(widths: Iterable[int], single: int, part: int) -> int:
    widths = list(widths)
    if sum(widths) <= single:
        return 1
    count, room = 1, part
    for width in widths:
        if width > room:
            count, room = count + 1, part
        room -= width
    return count
