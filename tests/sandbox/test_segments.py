"""The number of parts of an SMS."""

from __future__ import annotations

import pytest

from workers.dev.sandbox.segments import count_segments


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
    assert count_segments(text) == parts
