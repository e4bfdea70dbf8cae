"""A provider of phone messages that takes everything, or says what it is told to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from providers.base import Receipt

if TYPE_CHECKING:
    from providers.base import PhoneMessage
    from providers.errors import ProviderError


@dataclass
class Desk:
    """Keeps what it was sent.

    Attributes:
        error: What it answers each message with; None where it takes them.
    """

    error: ProviderError | None = None
    taken: list[PhoneMessage] = field(default_factory=list)
    name: str = "desk"

    def send(self, message: PhoneMessage) -> Receipt:
        if self.error is not None:
            raise self.error
        self.taken.append(message)
        return Receipt(provider=self.name, message_id=str(message.token))
