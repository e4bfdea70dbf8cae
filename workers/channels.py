"""The channels, put together: each with its provider, its limits and its retries."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from providers.codes import CodeTable
from providers.sendgrid import SendGridEmail
from providers.transport import PooledTransport
from providers.twilio import TwilioMessages, TwilioSender
from providers.twilio_http import TwilioAccount
from providers.twilio_lookup import TwilioLookup
from services.notifications import whatsapp_templates
from services.notifications.carriers import (
    EmailCarrier,
    InAppCarrier,
    PhoneCarrier,
    UnprovidedCarrier,
    WhatsAppCarrier,
)
from services.notifications.consent import Consent
from services.notifications.delivery import Drain
from services.notifications.pace import Pace
from services.notifications.quiet import Quiet
from services.notifications.retry import RetryPolicy
from workers.clock import utc_now
from workers.links import make_links, make_unsubscribe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session, sessionmaker

    from providers.base import MessageLookup
    from services.notifications.delivery import Carrier
    from services.notifications.effects import Classify
    from services.notifications.render import Renderer
    from workers.settings import Settings

TWILIO = ".twilio.com"
SIDE_BY_SIDE_WITHOUT_NETWORK = 4


@dataclass(frozen=True)
class Channels:
    """What sends, and what asks afterwards.

    Attributes:
        drains: By channel.
        lookups: By channel, those whose provider can be asked what became of a message.
        classify: By provider, how its codes are taken.
    """

    drains: Mapping[str, Drain]
    lookups: Mapping[str, MessageLookup]
    classify: Mapping[str, Classify]


def retry_policy(settings: Settings, channel: str) -> RetryPolicy:
    """How a channel deals with what passes."""
    retries = {"SMS": settings.sms_retries, "WHATSAPP": settings.whatsapp_retries}
    return RetryPolicy(
        retries=retries.get(channel, settings.email_retries),
        base_seconds=settings.retry_base_seconds,
        cap_seconds=settings.retry_cap_seconds,
        unknown_wait_seconds=settings.unknown_wait_seconds,
        hold_unknown=channel in settings.hold_unknown,
    )


def make_channels(settings: Settings, sessions: sessionmaker[Session], renderer: Renderer) -> Channels:
    """Put all channels together. Nothing is connected before it is used.

    Raises:
        MappingError: The file of approved WhatsApp templates can't be used.
        ValueError: A provider's setting is malformed.
    """
    transport = PooledTransport(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        connections=settings.sends_side_by_side,
    )
    sendgrid = SendGridEmail(
        settings.sendgrid_api_key.get_secret_value(),
        str(settings.sendgrid_base_url).rstrip("/"),
        settings.email_from,
        transport,
    )
    account = TwilioAccount(
        settings.twilio_account_sid,
        settings.twilio_auth_token.get_secret_value(),
        str(settings.twilio_base_url).rstrip("/"),
    )
    senders = {
        "SMS": TwilioSender("SMS", settings.twilio_sms_phone),
        "WHATSAPP": TwilioSender("WHATSAPP", settings.twilio_whatsapp_phone),
    }
    public_url, app_url = str(settings.public_url).rstrip("/"), str(settings.app_url)
    messages = {
        channel: TwilioMessages(account, sender, public_url, transport) for channel, sender in senders.items()
    }
    words = (renderer, settings.locale, app_url)
    shorten = make_links(settings, sessions).shorten
    carriers: Mapping[str, Carrier] = {
        "EMAIL": EmailCarrier(sendgrid, *words, unsubscribe=make_unsubscribe(settings, sessions).url),
        "SMS": PhoneCarrier(messages["SMS"], *words, settings.phone_region, shorten),
        "WHATSAPP": WhatsAppCarrier(
            messages["WHATSAPP"],
            *words,
            settings.phone_region,
            shorten,
            templates=whatsapp_templates.load(settings.whatsapp_templates),
            free_text_always=not (settings.twilio_base_url.host or "").endswith(TWILIO),
            give_way_after=timedelta(seconds=settings.fallback_after_seconds),
            clock=utc_now,
        ),
        "IN_APP": InAppCarrier(),
        "PUSH": UnprovidedCarrier("PUSH"),
    }
    paces = _paces(settings)
    consent = Consent(settings.phone_region, settings.time_zone, Quiet.read(settings.quiet_hours))
    drains = {
        channel: Drain(
            channel=channel,
            carrier=carrier,
            sessions=sessions,
            policy=retry_policy(settings, channel),
            lease=timedelta(seconds=settings.lease_seconds),
            side_by_side=settings.sends_side_by_side if channel in paces else SIDE_BY_SIDE_WITHOUT_NETWORK,
            clock=utc_now,
            jitter=random,
            pace=paces.get(channel),
            consent=consent,
            lookup_after=timedelta(seconds=settings.lookup_after_seconds) if channel in senders else None,
        )
        for channel, carrier in carriers.items()
    }
    lookups = {channel: TwilioLookup(account, sender, transport) for channel, sender in senders.items()}
    return Channels(drains, lookups, {provider: _classify(provider) for provider in ("sendgrid", "twilio")})


def make_limiter(settings: Settings) -> MovingWindowRateLimiter:
    """What keeps the limits that all workers share. Nothing is connected before it is used."""
    storage = RedisStorage(
        settings.limits_address.get_secret_value(),
        wrap_exceptions=True,
        key_prefix="fleet-limits",
        socket_timeout=settings.read_timeout_seconds,
        socket_connect_timeout=settings.connect_timeout_seconds,
    )
    return MovingWindowRateLimiter(storage)


def _paces(settings: Settings) -> Mapping[str, Pace]:
    limiter = make_limiter(settings)
    per_person = RateLimitItemPerHour(settings.recipient_per_hour)
    rates: Mapping[str, RateLimitItem] = {
        "EMAIL": RateLimitItemPerSecond(settings.emails_per_second),
        "SMS": RateLimitItemPerSecond(settings.sms_per_second),
        "WHATSAPP": RateLimitItemPerMinute(settings.whatsapp_per_minute),
    }
    return {channel: Pace(channel, limiter, rate, per_person, time.time) for channel, rate in rates.items()}


def _classify(provider: str) -> Classify:
    table = CodeTable(provider)

    def classify(code: str, channel: str) -> tuple[str, bool]:
        verdict = table.kind(code, channel)
        return verdict.kind.value, verdict.known

    return classify
