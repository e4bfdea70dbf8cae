"""Where a person's data are, and what the person's addresses look like wherever they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phonenumbers import PhoneNumberFormat, format_number, parse

from db.queries import people
from db.queries.people import MARKS, Addresses, Scope
from services.notifications.phones import UnreadableNumberError, e164

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phonenumbers import PhoneNumber
    from sqlalchemy.orm import Session

    from db.queries.people import Person

ERASED = "[erased]"
"""What stands in place of a text or an address that was erased."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

# A percent-encoded character may stand right before an address: to nothing else may it be joined.
_BEFORE_EMAIL = r"(?:%[0-9a-f]{2}|(?<![a-z0-9._%+-]))"
_AFTER_EMAIL = r"(?![a-z0-9-])"
_BEFORE_NUMBER = r"(?:%[0-9a-f]{2}|(?<![0-9a-f]))"
_AFTER_NUMBER = r"(?![0-9])"
_BETWEEN = f"[{re.escape(MARKS)}]{{0,3}}"


def scope(session: Session, person: Person, region: str) -> Scope:
    """Find all that is a person's.

    Args:
        session: The transaction.
        person: The person.
        region: The country of numbers that are written without one.
    """
    addresses = of(person, region)
    return Scope(person.user_id, addresses, people.belongings(session, person.user_id, addresses), ERASED)


def of(person: Person, region: str) -> Addresses:
    """Gather what a person is reached by, from the platform's rows and from every delivery.

    Args:
        person: The person.
        region: The country of numbers that are written without one.
    """
    sent = [(channel, recipient) for channel, recipient in person.recipients if recipient != ERASED]
    mails = [person.email, *(recipient for channel, recipient in sent if channel == "EMAIL")]
    phones = [person.phone, *(recipient for channel, recipient in sent if channel != "EMAIL")]
    # What is no address, such as a dash, would be found in everybody's texts.
    emails = sorted({mail.strip().lower() for mail in mails if mail and _EMAIL.fullmatch(mail.strip())})
    numbers = sorted({number for phone in phones if phone and (number := _number(phone, region))})
    by_email, by_number = of_emails(emails), of_numbers(numbers)
    name = rf"(?<!\w){re.escape(said)}(?!\w)" if (said := (person.full_name or "").strip()) else None
    pattern = either(by_email, by_number)
    hints = [_hint(mail.replace("@", at)) for mail in emails for at in ("@", "%40")]
    hints += [_hint(_national(parse(number))) for number in numbers]
    return Addresses(emails, numbers, by_email, by_number, pattern, hints, either(pattern, name))


def _number(phone: str, region: str) -> str | None:
    try:
        return e164(phone, region)
    except UnreadableNumberError:
        return None


def of_emails(emails: Iterable[str]) -> str | None:
    """Write a pattern that finds these e-mail addresses, percent-encoded ones too; None for none.

    The pattern is meant to be matched without regard to case, and is the same to PostgreSQL and to Python.
    """
    found = [re.escape(email).replace("@", "(?:@|%40)") for email in sorted(set(emails))]
    return f"{_BEFORE_EMAIL}(?:{'|'.join(found)}){_AFTER_EMAIL}" if found else None


def of_numbers(numbers: Iterable[str]) -> str | None:
    """Write a pattern that finds these numbers in every spelling, as ``of_emails`` does.

    Args:
        numbers: In international form.
    """
    found = [_spellings(number) for number in sorted(set(numbers))]
    return f"{_BEFORE_NUMBER}(?:{'|'.join(found)}){_AFTER_NUMBER}" if found else None


def either(*patterns: str | None) -> str | None:
    """Write a pattern that finds what any of these finds; None where there is none."""
    some = [pattern for pattern in patterns if pattern]
    return "|".join(f"(?:{pattern})" for pattern in some) or None


def _spellings(number: str) -> str:
    """With or without the country before it, a trunk zero, and up to three marks between the digits."""
    parsed = parse(number)
    country = _BETWEEN.join(str(parsed.country_code))
    return rf"(?:\+?(?:00)?{country}{_BETWEEN})?0?{_BETWEEN}{_BETWEEN.join(_national(parsed))}"


def _national(number: PhoneNumber) -> str:
    return format_number(number, PhoneNumberFormat.E164).removeprefix(f"+{number.country_code}")


def _hint(address: str) -> str:
    return f"%{address.translate(dict.fromkeys(map(ord, MARKS)))}%"
