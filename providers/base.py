"""The protocols behind which the vendors stand, and the values that cross them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """One e-mail, rendered and addressed.

    Attributes:
        token: The attempt's token. It travels with the message and comes back in every callback.
        recipient: The address to write to.
        subject: One line.
        html: The HTML part, whole.
        text: The plain-text part.
        category: The template's code, for the provider's statistics; never personal data.
    """

    token: UUID
    recipient: str
    subject: str
    html: str
    text: str
    category: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's acceptance of one message.

    Attributes:
        provider: The provider's name, as it is written to ``notification_deliveries.provider``.
        message_id: The provider's own id of the message.
        response: What to keep of the answer; no personal data.
    """

    provider: str
    message_id: str
    response: Mapping[str, str | int | None] = field(default_factory=dict)


class EmailProvider(Protocol):
    """Hands one e-mail to a provider. Safe to call from many threads at once."""

    @property
    def name(self) -> str:
        """The provider's name, lower case."""

    def send(self, message: EmailMessage) -> Receipt:
        """Send, within the provider's timeouts.

        Returns:
            The acceptance. That is not a delivery: what happens later comes by callback.

        Raises:
            ProviderError: One of the kinds in ``providers.errors``.
        """
