"""Into how many parts an SMS is cut, and charged as.

Source: GSM 03.38 for the alphabet; Twilio's "What is GSM-7 Character Encoding?" and "What is UCS-2 Character
Encoding?" for the lengths.
"""

from __future__ import annotations

from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Sent as an escape and a second septet; the two are never torn apart.
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
_GSM: Final = _BASIC | _EXTENDED

_GSM_ALONE, _GSM_PART = 160, 153
_UCS2_ALONE, _UCS2_PART = 70, 67


def count_segments(text: str) -> int:
    """The number of parts of a text; 1 for an empty one."""
    if _GSM.issuperset(text):
        return _parts([2 if c in _EXTENDED else 1 for c in text], _GSM_ALONE, _GSM_PART)
    return _parts([2 if ord(c) > 0xFFFF else 1 for c in text], _UCS2_ALONE, _UCS2_PART)  # noqa: PLR2004  the BMP


def _parts(widths: list[int], alone: int, part: int) -> int:
    if sum(widths) <= alone:
        return 1
    count, room = 1, part
    for width in widths:
        if width > room:
            count, room = count + 1, part
        room -= width
    return count
