"""How much room a text takes in an SMS, and into how many parts it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications import gsm7


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("é" * 160, 1),  # GSM has some French letters
        ("ê" * 70, 1),  # and not others
        ("ê" * 71, 2),
        ("ê" * 134, 2),
        ("ê" * 135, 3),
        ("€" * 80, 1),  # two septets each
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 7 + "b", 2),  # the euro sign is not torn apart
        ("🎉" * 35, 1),  # two units each
        ("🎉" * 36, 2),
        ("🎉" * 67, 3),  # 33 to a part, not 33 and a half
    ],
)
def test_the_parts_of_a_text(text: str, parts: int) -> None:
    assert gsm7.segments(text) == parts


@pytest.mark.parametrize(
    ("text", "room"),
    [("", 0), ("Été à Noël", None), ("Été à l'heure ù", 15), ("{€}", 6), ("Ça", 2), ("ça", None)],
)
def test_the_septets_of_a_text_that_has_any(text: str, room: int | None) -> None:
    assert gsm7.is_gsm7(text) == (room is not None)
    if room is not None:
        assert gsm7.septets(text) == room


def test_the_alphabet_is_the_standards() -> None:
    # 128 places, one of them the escape to the ten of the extension table that are in use.
    assert (len(gsm7.BASIC), len(gsm7.EXTENDED)) == (127, 10)
    assert not gsm7.BASIC & gsm7.EXTENDED
    assert "\x1b" not in gsm7.ALPHABET


@given(st.text(st.sampled_from("aé€{\nê🎉")))
def test_a_text_goes_in_as_many_parts_as_cutting_it_by_hand_gives(text: str) -> None:
    in_gsm = all(character in "aé€{\n" for character in text)
    wide, single, part = ("€{", 160, 153) if in_gsm else ("🎉", 70, 67)
    widths = [1 + (character in wide) for character in text * 12]
    cut = [0]
    for width in widths:
        cut[-1:] = [cut[-1] + width] if cut[-1] + width <= part else [cut[-1], width]
    assert gsm7.segments(text * 12) == (1 if sum(widths) <= single else len(cut))
