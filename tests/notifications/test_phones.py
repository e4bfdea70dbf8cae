"""Phone numbers as people write them, made international; what is none is named and not quoted."""

from __future__ import annotations

from traceback import format_exception

import pytest

from services.notifications.phones import UnreadableNumberError, e164, readable

READ = {
    "+33639980000": ("FR", "+33639980000"),
    "06 39 98 00 00": ("FR", "+33639980000"),
    "06.39.98.00.00": ("FR", "+33639980000"),
    "0033 6 39 98 00 00": ("FR", "+33639980000"),
    "+33 (0)6 39 98 00 00": ("FR", "+33639980000"),
    "33639980000": ("FR", "+33639980000"),
    "whatsapp:+33639980000": ("FR", "+33639980000"),
    "06\N{NO-BREAK SPACE}39\N{NO-BREAK SPACE}98\N{NO-BREAK SPACE}00\N{NO-BREAK SPACE}00": (
        "FR",
        "+33639980000",
    ),
    "+44 7700 900123": ("FR", "+447700900123"),
    "(305) 555-0100": ("US", "+13055550100"),
    "+1 305 555 0100": ("FR", "+13055550100"),
}
UNREAD = [
    "3270",
    "0270",
    "",
    "sur demande",
    "+33 6 39 98 00",
    "06 39 98 00 00 00",
    "1" * 300,
    "555-0100",
    "\0",
]


@pytest.mark.parametrize(("text", "region", "number"), [(text, *expected) for text, expected in READ.items()])
def test_a_number_is_made_international(text: str, region: str, number: str) -> None:
    assert e164(text, region) == readable(text, region) == number


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_no_number_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(UnreadableNumberError, match=r"no phone number: write one of FR") as raised:
        e164(text, "FR")
    told = "".join(format_exception(raised.value))
    assert text in {"", "\0"} or text not in told
    assert readable(f" {text} ", "FR") == text.strip()


def test_a_number_without_its_area_is_no_number() -> None:
    with pytest.raises(UnreadableNumberError):
        e164("555-0100", "US")
