"""What a setting's value may be, and how it is read; every complaint says what to give instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from providers.checks import webhook_secret
from providers.signatures_sendgrid import SendGridSignatures
from services.notifications.quiet import Quiet
from services.payments.ladder import read_ladder, read_ladders

if TYPE_CHECKING:
    from datetime import time


def address(value: str) -> str:
    """Check an address, with or without a name."""
    name_and_address = parseaddr(value)
    local, _, domain = name_and_address[1].partition("@")
    if not local or "." not in domain or any(mark in value for mark in "\r\n"):
        raise ValueError("give an address, with or without a name: Partners VRAI <bonjour@example.com>")
    return value


def phone(value: str) -> str:
    """Check an international number."""
    if not re.fullmatch(r"\+[1-9]\d{6,14}", value):
        raise ValueError("give an international number: +33639980000")
    return value


def account(value: str) -> str:
    """Check a Twilio account's SID."""
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", value):
        raise ValueError("give the account's SID: AC and 32 hexadecimal digits")
    return value


def public_key(value: str) -> str:
    """Check SendGrid's verification key."""
    try:
        SendGridSignatures(value, tolerance_seconds=0)
    except ValueError:
        raise ValueError("give the verification key as SendGrid shows it: base64 on one line") from None
    return value


def webhook_secrets(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Check the secrets of Stripe's webhook."""
    try:
        for value in values:
            webhook_secret(value.get_secret_value())
    except ValueError:
        raise ValueError("give the webhook's signing secret, whsec_..., or several by comma") from None
    return values


def path(value: str) -> str:
    """Check a path of the platform's site that holds a token."""
    if not value.startswith("/") or value.startswith("//") or value.count("{token}") != 1:
        raise ValueError("give a path of the platform's site with {token} in it, such as /onboarding/{token}")
    return value


def minutes(value: time) -> time:
    """Check a time of the day, UTC."""
    if value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError("give a time of the day in UTC, such as 09:00")
    return value


def ladder(value: str) -> str:
    """Check the days of a ladder of reminders."""
    read_ladder(value)
    return value


def ladders(value: str) -> str:
    """Check the ladders of products."""
    read_ladders(value)
    return value


def region(value: str) -> str:
    """Check a country's two letters."""
    if value not in SUPPORTED_REGIONS:
        raise ValueError("give a country's two letters, such as FR")
    return value


def zone(value: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("give a time zone by its name, such as Europe/Paris") from None
    return value


def quiet(value: str) -> str:
    """Check the hours in which phones are silent."""
    try:
        Quiet.read(value)
    except ValueError:
        raise ValueError("give two times of a day, such as 21:00-08:00") from None
    return value


def url_of(*schemes: str) -> AfterValidator:
    """Make the check of a URL of one of these schemes."""

    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(
                f"give a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            )
        return value

    return AfterValidator(check)


def words(value: object) -> object:
    """Split what is given by comma or space."""
    return [word for word in value.replace(",", " ").split() if word] if isinstance(value, str) else value


def empty_is_missing(values: object) -> object:
    """`NAME=` in a file of settings means: not set."""
    return {k: v for k, v in values.items() if v != ""} if isinstance(values, dict) else values


@dataclass(frozen=True, slots=True)
class Unit:
    """What a setting counts or is measured in, for the reference."""

    name: str


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Marks a secret of which all but the password may be shown."""


Secret = Annotated[SecretStr, Field(min_length=1)]
Phone = Annotated[str, BeforeValidator(lambda v: str(v).removeprefix("whatsapp:")), AfterValidator(phone)]
DatabaseUrl = Annotated[SecretStr, url_of("postgresql", "postgres"), ServerUrl()]
BrokerUrl = Annotated[SecretStr, url_of("redis", "rediss", "redis+socket", "amqp", "amqps"), ServerUrl()]
LimitsUrl = Annotated[SecretStr, url_of("redis", "rediss"), ServerUrl()]
Seconds = Annotated[float, Field(gt=0), Unit("seconds")]
REDIS = ("redis://", "rediss://")
AtLeastOne = Annotated[int, Field(ge=1)]
Retries = Annotated[int, Field(ge=0, le=20), Unit("tries")]
Sendable = Literal["EMAIL", "SMS", "WHATSAPP"]
