"""What a running sandbox knows: how it was started, what was changed since, and what it counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.dev.sandbox.behaviours import Behaviours
from workers.dev.sandbox.faults import Faults
from workers.dev.sandbox.phones import Phones
from workers.dev.sandbox.store import Store
from workers.dev.sandbox.stripe_store import StripeStore

if TYPE_CHECKING:
    from workers.dev.sandbox.connections import Connection


USUAL_ACCOUNT_SID = f"AC{'0' * 32}"
USUAL_AUTH_TOKEN = "sandbox"  # noqa: S105  opens nothing but a sandbox
USUAL_STRIPE_KEY = "sk_test_sandbox"
USUAL_STRIPE_SECRET = "whsec_sandbox"  # noqa: S105  signs nothing but a sandbox's events


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox starts.

    Attributes:
        api_key: The only key that SendGrid's API accepts.
        latency: Seconds between an acceptance and its answer.
        webhook_url: Where events are posted; empty for nowhere.
        webhook_delay: Seconds between an acceptance and its events, and between a phone message's states.
        capacity: E-mails kept, as many messages to phones, and as many of each kind of Stripe's objects; the
            oldest is forgotten first.
        account_sid: The only account that Twilio's API knows.
        auth_token: What opens it, and signs Twilio's callbacks.
        inbound_url: Where what a phone answers is posted; empty for nowhere.
        whatsapp_window: Whether free text reaches WhatsApp only within 24 hours of an answer from the phone,
            as from a real sender. Else it always does, as from Twilio's own WhatsApp sandbox.
        price_delay: Seconds from a message's way out until its price can be fetched.
        callback_retry_pause: Seconds before Twilio's callback is tried again.
        stripe_key: The only key that Stripe's API accepts.
        stripe_webhook_secret: Signs Stripe's events.
        stripe_webhook_url: Where Stripe's events are posted; empty for nowhere.
    """

    api_key: str
    latency: float = 0.0
    webhook_url: str = ""
    webhook_delay: float = 0.2
    capacity: int = 100_000
    account_sid: str = USUAL_ACCOUNT_SID
    auth_token: str = USUAL_AUTH_TOKEN
    inbound_url: str = ""
    whatsapp_window: bool = False
    price_delay: float = 5.0
    callback_retry_pause: float = 1.0
    stripe_key: str = USUAL_STRIPE_KEY
    stripe_webhook_secret: str = USUAL_STRIPE_SECRET
    stripe_webhook_url: str = ""


@dataclass(slots=True)
class Controls:
    """The settings that the control API changes at run time, named as there."""

    api_key: str
    latency: float
    webhook_url: str
    account_sid: str
    auth_token: str
    inbound_url: str
    whatsapp_window: bool
    price_delay: float
    stripe_key: str
    stripe_webhook_secret: str
    stripe_webhook_url: str
    stripe_per_second: int = 0
    templates: dict[str, str] | None = None


@dataclass(slots=True)
class Tally:
    """Counts since the start, of requests to the vendors' APIs alone.

    Stripe's are counted apart, by endpoint; of them, only refusals and faults are counted here as well.
    """

    requests: int = 0
    accepted: int = 0
    connections: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def request(self, connection: Connection) -> None:
        """Count a request, and its connection if this is the first one on it."""
        self.requests += 1
        if not connection.counted:
            connection.counted = True
            self.connections += 1

    def accept(self, channel: str) -> None:
        """Count a message that was taken, by its channel."""
        self.accepted += 1
        self.channels[channel] += 1


@dataclass(slots=True)
class Sandbox:
    """The state that the vendors, the control API and the pages share."""

    controls: Controls
    store: Store
    phones: Phones
    stripe: StripeStore
    behaviours: Behaviours = field(default_factory=Behaviours)
    faults: Faults = field(default_factory=Faults)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def from_settings(cls, settings: SandboxSettings) -> Sandbox:
        """A sandbox that nothing was sent to yet."""
        controls = Controls(
            api_key=settings.api_key,
            latency=settings.latency,
            webhook_url=settings.webhook_url,
            account_sid=settings.account_sid,
            auth_token=settings.auth_token,
            inbound_url=settings.inbound_url,
            whatsapp_window=settings.whatsapp_window,
            price_delay=settings.price_delay,
            stripe_key=settings.stripe_key,
            stripe_webhook_secret=settings.stripe_webhook_secret,
            stripe_webhook_url=settings.stripe_webhook_url,
        )
        kept = settings.capacity
        return cls(controls, Store(kept), Phones(kept), StripeStore(kept))
