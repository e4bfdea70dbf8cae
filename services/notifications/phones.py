"""Phone numbers as providers and tables take them."""

from __future__ import annotations

from functools import lru_cache

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
)


class UnreadableNumberError(ValueError):
    """A text that is no phone number; says how to mend it and does not quote it."""


@lru_cache(maxsize=4096)  # a number is read when its delivery is inserted and again when it is sent
def e164(text: str, region: str) -> str:
    """A phone number in its international form, ``+33639980000``.

    Only its length is judged, not whether its range is in use: the library's ranges lag behind the operators'
    and leave out those that are kept for made-up numbers. A provider refuses what does not exist.

    Args:
        text: As a person wrote it, with or without spaces and punctuation; ``whatsapp:`` before it is passed
            over.
        region: The country, by its two letters, of numbers that are written without one.

    Raises:
        UnreadableNumberError: It is no number, or of a length that no number of its country has.
    """
    try:
        number = parse(text, region)
    except NumberParseException:
        raise UnreadableNumberError(_mend(region)) from None
    if is_possible_number_with_reason(number) is not ValidationResult.IS_POSSIBLE:
        raise UnreadableNumberError(_mend(region))
    return format_number(number, PhoneNumberFormat.E164)


def readable(text: str, region: str) -> str:
    """The same where it can be read, otherwise the text as it is: its delivery fails, and says why."""
    try:
        return e164(text, region)
    except UnreadableNumberError:
        return text.strip()


def _mend(region: str) -> str:
    return (
        f"the recipient is no phone number: write one of {region} as it is dialled there, or any with its"
        " country, as in +33639980000"
    )
