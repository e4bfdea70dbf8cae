"""The protocols behind which the vendors stand, and the values that cross them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal
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
        unsubscribe_url: Where the recipient's mail client can opt out in one click, by a POST without a page
            (RFC 8058); None where there is no opting out.
    """

    token: UUID
    recipient: str
    subject: str
    html: str
    text: str
    category: str
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True)
class ContentTemplate:
    """An approved WhatsApp template, as the provider knows it.

    Attributes:
        sid: The provider's id of the template in one language.
        variables: What fills its places, by their numbers.
    """

    sid: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """One SMS or WhatsApp message, rendered and addressed.

    Attributes:
        token: The attempt's token. It rides in the callback's address and comes back with every status.
        recipient: An international number, ``+33639980000``.
        body: The text. Beside a ``template`` it is not sent.
        validity_seconds: How long the message may wait at the provider; what is staler is not delivered.
        template: The approved template to send instead of the text; WhatsApp only.
    """

    token: UUID
    recipient: str
    body: str
    validity_seconds: int
    template: ContentTemplate | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's acceptance of one message.

    Attributes:
        provider: The provider's name, as it is written to ``notification_deliveries.provider``.
        message_id: The provider's own id of the message.
        response: What to keep of the answer; no personal data.
        segments: How many parts the message is charged as, where the provider says so.
    """

    provider: str
    message_id: str
    response: Mapping[str, str | int | None] = field(default_factory=dict)
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class MessageState:
    """What a provider says of one message when it is asked.

    Attributes:
        message_id: The provider's own id of the message.
        status: The provider's word for its state, lower case.
        at: When it came into that state, or was last touched.
        code: The provider's code of what went wrong.
        reason: The same in words, redacted.
        segments: How many parts it is charged as.
        price: What it cost, positive; None while it is not known.
        price_unit: The price's currency, upper case.
        created_at: When the provider took it, in UTC.
        body: The text as it was sent, a template's places filled. To compare with; never kept or logged.
    """

    message_id: str
    status: str
    at: datetime | None = None
    code: str | None = None
    reason: str | None = None
    segments: int | None = None
    price: Decimal | None = None
    price_unit: str | None = None
    created_at: datetime | None = None
    body: str | None = field(default=None, repr=False)


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


class PhoneProvider(Protocol):
    """Hands one SMS or WhatsApp message to a provider. Safe to call from many threads at once."""

    @property
    def name(self) -> str:
        """The provider's name, lower case."""

    def send(self, message: PhoneMessage) -> Receipt:
        """Send, within the provider's timeouts. Returns and raises as ``EmailProvider.send``."""


class MessageLookup(Protocol):
    """Asks a provider what became of messages. Safe to call from many threads at once."""

    def fetch(self, message_id: str) -> MessageState | None:
        """Ask for one message by the provider's id; None where the provider knows no such message.

        Raises:
            ProviderError: The question was not answered; ask again later.
        """

    def search(self, recipient: str, sent_on: date) -> Sequence[MessageState]:
        """List the messages to a recipient that the provider took on a day, whatever became of them.

        Args:
            recipient: As it was sent to: an international number, without the channel's prefix.
            sent_on: The day, in UTC.

        Returns:
            The newest first.

        Raises:
            ProviderError: As for ``fetch``.
        """


class MessageRedaction(Protocol):
    """Takes messages out of a provider's own records. Safe to call from many threads at once."""

    def redact(self, message_id: str) -> None:
        """Take out one message with its text and the person's address; none that is gone already is missed.

        Args:
            message_id: The provider's own id of the message.

        Raises:
            ProviderError: It is still there; ask again later.
        """


class AddressErasure(Protocol):
    """Has a provider erase all that it keeps about addresses. Safe to call from many threads at once."""

    def erase(self, addresses: Sequence[str]) -> None:
        """Ask for the erasure, which the provider then does in its own time; asking twice does no harm.

        Args:
            addresses: E-mail addresses, at least one and 5,000 at most.

        Raises:
            ProviderError: It was not taken; ask again later.
        """
