"""The settings: the only place that reads the environment."""

from __future__ import annotations

import os
from datetime import time
from typing import Annotated, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.models.enums import EventType
from workers import kinds
from workers.kinds import (
    AtLeastOne,
    BrokerUrl,
    DatabaseUrl,
    LimitsUrl,
    Phone,
    Positive,
    Retries,
    Secret,
    Sendable,
)


class SettingsError(Exception):
    """Settings are missing or malformed; the message lists all of them and quotes no value."""


# The names that the platform and the ecosystem use already; every other one begins with FLEET_.
_SHARED_NAMES = frozenset(
    {
        *("database_url", "redis_url", "email_from", "app_url", "public_url"),
        *("sendgrid_api_key", "sendgrid_webhook_public_key", "sendgrid_base_url"),
        *("twilio_account_sid", "twilio_auth_token", "twilio_sms_phone", "twilio_whatsapp_phone"),
        *("stripe_secret_key", "stripe_webhook_secret", "twilio_base_url", "stripe_base_url"),
    }
)


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field in _SHARED_NAMES else f"FLEET_{field.upper()}"


class DatabaseSettings(BaseSettings):
    """What the database commands need: nobody has to own a key of Stripe's to migrate a schema."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=".env",
        alias_generator=variable_name,
        populate_by_name=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    database_url: DatabaseUrl
    # The timetable is told by commands that only look at the database.
    reminder_time: Annotated[time, AfterValidator(kinds.minutes)] = time(9)

    _skip_empty = model_validator(mode="before")(kinds.empty_is_missing)

    @classmethod
    def load(cls) -> Self:
        """Read the environment, and ``.env`` in the working folder behind it.

        Raises:
            SettingsError: Something is missing or malformed; all of it is listed.
        """
        try:
            return cls.model_validate({})
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None


class Settings(DatabaseSettings):
    """Everything that a process of the fleet must know. ``docs/configuration.md`` describes each."""

    redis_url: BrokerUrl
    sendgrid_api_key: Secret
    twilio_account_sid: Annotated[str, AfterValidator(kinds.account)]
    twilio_auth_token: Secret
    twilio_sms_phone: Phone
    twilio_whatsapp_phone: Phone
    stripe_secret_key: Secret
    stripe_webhook_secret: Annotated[
        tuple[SecretStr, ...],
        NoDecode,
        BeforeValidator(kinds.words),
        Field(min_length=1),
        AfterValidator(kinds.webhook_secrets),
    ]
    sendgrid_webhook_public_key: Annotated[str, Field(min_length=1), AfterValidator(kinds.public_key)]
    email_from: Annotated[str, AfterValidator(kinds.address)]
    app_url: HttpUrl
    public_url: HttpUrl

    sendgrid_base_url: HttpUrl = HttpUrl("https://api.sendgrid.com")
    twilio_base_url: HttpUrl = HttpUrl("https://api.twilio.com")
    stripe_base_url: HttpUrl = HttpUrl("https://api.stripe.com")

    company: Annotated[str, Field(min_length=1)] = "Partners VRAI"
    company_address: str = ""
    company_registration: str = ""
    company_email: str = ""
    locale: Literal["fr", "en"] = "fr"
    app_announces: Annotated[frozenset[EventType], NoDecode, BeforeValidator(kinds.words)] = frozenset()
    routing_grace_seconds: Positive = 5.0
    unknown_wait_seconds: Positive = 900.0
    email_retries: Retries = 3
    sms_retries: Retries = 3
    whatsapp_retries: Retries = 3
    time_zone: Annotated[str, AfterValidator(kinds.zone)] = "Europe/Paris"
    quiet_hours: Annotated[str, AfterValidator(kinds.quiet)] = ""
    callback_days: Annotated[int, Field(ge=31, le=3650)] = 90
    link_days: Annotated[int, Field(ge=1, le=365)] = 90
    hold_unknown: Annotated[frozenset[Sendable], NoDecode, BeforeValidator(kinds.words)] = frozenset()
    phone_region: Annotated[str, AfterValidator(kinds.region)] = "FR"
    whatsapp_templates: FilePath | None = None
    fallback_after_seconds: Annotated[float, Field(ge=60, le=36000)] = 1800.0
    lookup_after_seconds: Positive = 600.0
    emails_per_second: AtLeastOne = 1000
    sms_per_second: AtLeastOne = 10
    whatsapp_per_minute: AtLeastOne = 60
    recipient_per_hour: AtLeastOne = 60
    stripe_per_second: Annotated[int, Field(ge=1, le=100)] = 20
    limits_url: LimitsUrl | None = None
    reconcile_after_seconds: Annotated[float, Field(ge=60)] = 900.0
    poll_share_warning: Annotated[float, Field(gt=0, le=1)] = 0.1
    manual_products: Annotated[frozenset[str], NoDecode, BeforeValidator(kinds.words)] = frozenset()
    mail_payment_links: bool = True
    payment_link_path: Annotated[str, AfterValidator(kinds.path)] = "/onboarding/{token}"
    reminder_interval_days: Annotated[int, Field(ge=1, le=60)] = 3
    reminder_most: Annotated[int, Field(ge=1)] | None = None
    reminder_ladder: Annotated[str, AfterValidator(kinds.ladder)] = ""
    reminder_ladders: Annotated[str, AfterValidator(kinds.ladders)] = ""
    payment_link_reminder_days: Annotated[int, Field(ge=1, le=30)] = 3
    retry_base_seconds: Positive = 30.0
    retry_cap_seconds: Positive = 3600.0
    sends_side_by_side: Annotated[int, Field(ge=1, le=512)] = 64
    connect_timeout_seconds: Positive = 3.0
    read_timeout_seconds: Positive = 10.0
    lease_seconds: Positive = 30.0
    flower_user: Annotated[str, Field(pattern=r"^[^:]+$")] = "operator"
    flower_password: SecretStr | None = None
    ops_user: Annotated[str, Field(min_length=1)] = "operator"
    ops_password: SecretStr | None = None
    health_max_age_seconds: Positive = 60.0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("lease_seconds")
    @classmethod
    def _lease_outlasts_a_send(cls, lease: float, info: ValidationInfo) -> float:
        timeouts = (info.data.get(f"{kind}_timeout_seconds", 0.0) for kind in ("connect", "read"))
        longest_send = 2 * sum(timeouts)
        if lease <= longest_send:
            raise ValueError(
                f"give more than {longest_send:g}: a send may take twice FLEET_CONNECT_TIMEOUT_SECONDS "
                "and twice FLEET_READ_TIMEOUT_SECONDS"
            )
        return lease

    @field_validator("limits_url")
    @classmethod
    def _limits_have_a_redis(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        broker: SecretStr | None = info.data.get("redis_url")
        usable = broker is None or broker.get_secret_value().startswith(kinds.REDIS)
        if given is None and not usable:
            raise ValueError("give the Redis that keeps the shared limits: REDIS_URL names another broker")
        return given

    @property
    def limits_address(self) -> SecretStr:
        """Where the shared limits are kept."""
        return self.limits_url or self.redis_url


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    missing = [str(p["loc"][0]) for p in problems if p["type"] == "missing"]
    malformed = [
        f"  {_variable(p['loc']):30} {p['msg'].removeprefix('Value error, ')}".rstrip()
        for p in problems
        if p["type"] != "missing"
    ]
    count = len(problems)
    lines = [
        f"The fleet cannot start: {count} setting{'s are' if count > 1 else ' is'} missing or malformed."
    ]
    lines += [f"  {name:30} is not set" for name in missing]
    lines += malformed
    lines.append("Set them in the environment or in a file .env; docs/configuration.md describes each.")
    return "\n".join(lines)


def _variable(location: tuple[int | str, ...]) -> str:
    """The variable that a problem is about; a default that does not hold is told by its field's name."""
    name = str(location[0]) if location else ""
    return variable_name(name) if name in Settings.model_fields else name


def given_settings() -> dict[str, str]:
    """What the environment and ``.env`` give, for the children of ``fleet up``; the environment wins."""
    from_file = {name: value for name, value in dotenv_values(".env").items() if value}
    return from_file | os.environ
