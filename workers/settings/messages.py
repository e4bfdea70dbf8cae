"""Messages: what they say, to whom, how many at once, and how long the fleet tries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationInfo, field_validator

from db.models.enums import EventType
from workers.settings import kinds
from workers.settings.group import Group
from workers.settings.kinds import AtLeastOne, LimitsUrl, Retries, Seconds, Sendable, Unit


class Words(Group):
    """What is said, and in which language."""

    company: Annotated[str, Field(min_length=1)] = "Partners VRAI"
    """The company's name in e-mails."""

    company_address: str = ""
    """Its address, for the footer of e-mails."""

    company_registration: str = ""
    """Its registration, such as a number in a register of companies, for the footer."""

    company_email: str = ""
    """Where people can write to it, for the footer."""

    locale: Literal["fr", "en"] = "fr"
    """The language of people who have not chosen one: `fr` or `en`."""

    app_announces: Annotated[frozenset[EventType], BeforeValidator(kinds.words), Unit("event types")] = (
        frozenset()
    )
    """Types that the application announces itself, by comma or space: `PAYMENT_FAILED,MESSAGE_SENT`."""


class People(Group):
    """People who have said nothing else."""

    time_zone: Annotated[str, AfterValidator(kinds.zone)] = "Europe/Paris"
    """Where people live who have not said so."""

    quiet_hours: Annotated[str, AfterValidator(kinds.quiet)] = ""
    """When phones are silent, for people who have not said: `21:00-08:00`. Empty: never."""

    phone_region: Annotated[str, AfterValidator(kinds.region), Unit("country")] = "FR"
    """How numbers without a country code are read."""


class Phones(Group):
    """WhatsApp and SMS."""

    whatsapp_templates: Annotated[FilePath, Unit("file")] | None = None
    """The approved WhatsApp templates: see [WhatsApp templates](operations.md#whatsapp-templates). Without
    one, WhatsApp takes text only from people who wrote in the last 24 hours; the others get an SMS."""

    fallback_after_seconds: Annotated[float, Field(ge=60, le=36000), Unit("seconds")] = 1800.0
    """How long a WhatsApp message may be undelivered before an SMS takes over, 60 to 36000. It also expires
    at Twilio by then."""

    lookup_after_seconds: Seconds = 600.0
    """When Twilio is asked for the state and the price of a message."""


class Keeping(Group):
    """How long things are kept."""

    callback_days: Annotated[int, Field(ge=31, le=3650), Unit("days")] = 90
    """How long what providers have posted is kept once it was worked off, 31 to 3650: Stripe tells an event
    again for 30."""

    link_days: Annotated[int, Field(ge=1, le=365), Unit("days")] = 90
    """How long a short link leads somewhere, 1 to 365."""


class Limits(Group):
    """Limits that all workers share."""

    emails_per_second: Annotated[AtLeastOne, Unit("e-mails")] = 1000
    """At most, by all workers together."""

    sms_per_second: Annotated[AtLeastOne, Unit("messages")] = 10
    """The same for SMS."""

    whatsapp_per_minute: Annotated[AtLeastOne, Unit("messages")] = 60
    """The same for WhatsApp: what a sender may send."""

    recipient_per_hour: Annotated[AtLeastOne, Unit("messages")] = 60
    """To one person on one channel, at most. The next ones wait."""

    stripe_per_second: Annotated[int, Field(ge=1, le=100), Unit("calls")] = 20
    """To Stripe, by all workers together, 1 to 100. Stripe takes 100 a second from a live key and 25 from a
    test key."""

    limits_url: LimitsUrl | None = None
    """The Redis that keeps these limits. `REDIS_URL` where that names a Redis."""


class Patience(Group):
    """Times, tries and loads."""

    routing_grace_seconds: Seconds = 5.0
    """How long a notification of the application's may be without deliveries before the fleet adds them."""

    unknown_wait_seconds: Seconds = 900.0
    """How long a send of unknown outcome waits for evidence before it is sent again."""

    hold_unknown: Annotated[frozenset[Sendable], BeforeValidator(kinds.words), Unit("channels")] = frozenset()
    """Channels whose sends of unknown outcome are never repeated by themselves, but held for a person once
    the wait is over: `SMS,WHATSAPP`."""

    email_retries: Retries = 3
    """Tries after the first one, 0 to 20. Also bounds the tries of an event's fan-out."""

    sms_retries: Retries = 3
    """The same for SMS."""

    whatsapp_retries: Retries = 3
    """The same for WhatsApp. When they are used up, SMS takes over."""

    retry_base_seconds: Seconds = 30.0
    """The first retry comes within this time, the next within its double, and so on."""

    retry_cap_seconds: Seconds = 3600.0
    """No retry waits longer."""

    sends_side_by_side: Annotated[int, Field(ge=1, le=512), Unit("sends")] = 64
    """Sends under way at once on each channel in one worker process, 1 to 512."""

    connect_timeout_seconds: Seconds = 3.0
    """To open a connection to a provider."""

    read_timeout_seconds: Seconds = 10.0
    """To wait for a provider's answer to begin, and again for all of it."""

    lease_seconds: Seconds = 30.0
    """How long a claimed delivery is one worker's. Must be more than twice both timeouts together."""

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
