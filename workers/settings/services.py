"""What the fleet works with: the database, the broker, the providers, the platform."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr

from workers.settings import kinds
from workers.settings.group import Group
from workers.settings.kinds import BrokerUrl, DatabaseUrl, Phone, Secret, Unit


class Database(Group):
    """The platform's database."""

    database_url: DatabaseUrl
    """The platform's database: `postgresql://` or `postgres://`. See
    [poolers](operations.md#behind-a-transaction-pooler)."""


class Timetable(Group):
    """When daily work is done.

    Commands that only look at the database tell it too.
    """

    reminder_time: Annotated[time, AfterValidator(kinds.minutes), Unit("UTC")] = time(9)
    """When reminders of unpaid orders go out, each day."""


class Broker(Group):
    """The broker."""

    redis_url: BrokerUrl
    """The broker: `redis://`, `rediss://`, `amqp://` or `amqps://`. Tested with Redis-compatible servers
    only."""


class Providers(Group):
    """Where the providers are, if not at their own addresses."""

    sendgrid_api_key: Secret
    """A key with the right to send mail."""

    sendgrid_webhook_public_key: Annotated[str, Field(min_length=1), AfterValidator(kinds.public_key)]
    """What checks the signatures of SendGrid's event webhook: base64 on one line, as SendGrid shows it."""

    twilio_account_sid: Annotated[str, AfterValidator(kinds.account)]
    """The account: `AC` and 32 hexadecimal digits."""

    twilio_auth_token: Secret
    """Its token. Also checks the signatures of Twilio's callbacks."""

    twilio_sms_phone: Phone
    """Who SMS come from. International form, `+33639980001`."""

    twilio_whatsapp_phone: Phone
    """Who WhatsApp messages come from. International form; a prefix `whatsapp:` is dropped."""

    stripe_secret_key: Secret
    """A key that may write Checkout Sessions, and read payments, charges, refunds, disputes and events; a
    restricted one will do."""

    stripe_webhook_secret: Annotated[
        tuple[SecretStr, ...],
        BeforeValidator(kinds.words),
        Field(min_length=1),
        AfterValidator(kinds.webhook_secrets),
    ]
    """What checks the signatures of Stripe's webhook, `whsec_…`. While it is rotated, the old and the new one
    by comma."""

    email_from: Annotated[str, AfterValidator(kinds.address)]
    """The sender, verified with SendGrid: an address, or `Partners VRAI <bonjour@example.com>`."""

    sendgrid_base_url: HttpUrl = HttpUrl("https://api.sendgrid.com")
    """Where SendGrid's API is, such as a sandbox. That of docker compose is `http://sandbox:8025`."""

    twilio_base_url: HttpUrl = HttpUrl("https://api.twilio.com")
    """Where Twilio's API is. Any other address is taken for a sandbox, where WhatsApp messages need no
    approved template."""

    stripe_base_url: HttpUrl = HttpUrl("https://api.stripe.com")
    """Where Stripe's API is, such as a sandbox."""


class Places(Group):
    """Where the platform and the fleet are."""

    app_url: HttpUrl
    """The platform's site. Links in e-mails lead there."""

    public_url: HttpUrl
    """The fleet's own address, as providers reach it."""
