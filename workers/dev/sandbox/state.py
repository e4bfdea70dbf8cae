"""What a running sandbox knows: how it was started, what was changed since, and what it counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.dev.sandbox.faults import Faults
from workers.dev.sandbox.store import Store

if TYPE_CHECKING:
    from workers.dev.sandbox.connections import Connection


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox starts.

    Attributes:
        api_key: The only key that SendGrid's API accepts.
        latency: Seconds between an acceptance and its answer.
        webhook_url: Where events are posted; empty for nowhere.
        webhook_delay: Seconds between an acceptance and its events.
        private_key_pem: Signs the events (ECDSA, P-256, PEM without a passphrase); made up when absent.
        capacity: Messages kept; the oldest is forgotten first.
    """

    api_key: str
    latency: float = 0.0
    webhook_url: str = ""
    webhook_delay: float = 0.2
    private_key_pem: str | None = None
    capacity: int = 100_000


@dataclass(slots=True)
class Controls:
    """The settings that the control API changes at run time, named as there."""

    api_key: str
    latency: float
    webhook_url: str


@dataclass(slots=True)
class Tally:
    """Counts since the start, of requests to the vendors' APIs alone."""

    requests: int = 0
    accepted: int = 0
    connections: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def request(self, connection: Connection) -> None:
        """Count a request, and its connection if this is the first one on it."""
        self.requests += 1
        if not connection.counted:
            connection.counted = True
            self.connections += 1


@dataclass(slots=True)
class Sandbox:
    """The state that the vendors, the control API and the pages share."""

    controls: Controls
    store: Store
    faults: Faults = field(default_factory=Faults)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def from_settings(cls, settings: SandboxSettings) -> Sandbox:
        """A sandbox that nothing was sent to yet."""
        controls = Controls(settings.api_key, settings.latency, settings.webhook_url)
        return cls(controls, Store(settings.capacity))
