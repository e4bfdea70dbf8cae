"""Puts together what erases people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.sendgrid_erasure import SendGridErasure
from providers.transport import PooledTransport
from providers.twilio_http import TwilioAccount
from providers.twilio_redaction import TwilioRedaction
from services.notifications.erasure import Eraser
from workers.clock import utc_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.settings import Settings


def make_eraser(settings: Settings, sessions: sessionmaker[Session]) -> Eraser:
    """Put an eraser together. Nothing is connected before it is used.

    Raises:
        ValueError: A provider's setting is malformed.
    """
    transport = PooledTransport(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        connections=1,
    )
    account = TwilioAccount(
        settings.twilio_account_sid,
        settings.twilio_auth_token.get_secret_value(),
        str(settings.twilio_base_url).rstrip("/"),
    )
    sendgrid = SendGridErasure(
        settings.sendgrid_api_key.get_secret_value(), str(settings.sendgrid_base_url).rstrip("/"), transport
    )
    return Eraser(
        sessions=sessions,
        redactions={"twilio": TwilioRedaction(account, transport)},
        erasures={"sendgrid": sendgrid},
        region=settings.phone_region,
        clock=utc_now,
    )
