"""What was accepted, in memory and bounded."""

from __future__ import annotations

import enum
import json
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


class CallbackState(enum.StrEnum):
    """How far the events of one message are."""

    NONE = "none"
    WAITING = "waiting"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address of a message, and the arguments that come back in its events."""

    email: str
    custom_args: Mapping[str, Any]


@dataclass(slots=True)
class Message:
    """One accepted request.

    Attributes:
        id: The provider's id of the message.
        accepted_at: When the request had been read in full and found good.
        sender: The address that it is from.
        recipients: Whom it goes to, at least one.
        subject: One line.
        categories: As sent.
        connection: Number of the TCP connection that carried it.
        packed: The request's body, compressed: a full store of e-mails is else more than a gigabyte.
        callbacks: How far its events are.
    """

    id: str
    accepted_at: datetime
    sender: str
    recipients: tuple[Recipient, ...]
    subject: str
    categories: tuple[str, ...]
    connection: int
    packed: bytes
    callbacks: CallbackState = CallbackState.NONE

    @staticmethod
    def pack(body: bytes) -> bytes:
        """Compress a body, quickly rather than well."""
        return zlib.compress(body, 1)

    def request(self) -> dict[str, Any]:
        """The request as it was sent."""
        request: dict[str, Any] = json.loads(zlib.decompress(self.packed))
        return request

    def carries(self, token: str) -> bool:
        """Whether any custom argument has this value."""
        return any(token in recipient.custom_args.values() for recipient in self.recipients)

    def goes_to(self, part: str) -> bool:
        """Whether any recipient's address contains this."""
        return any(part in recipient.email for recipient in self.recipients)


class Store:
    """The accepted messages by id, oldest first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self.version = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def add(self, message: Message) -> None:
        """Keep a message; beyond the capacity the oldest goes."""
        self._messages[message.id] = message
        if len(self._messages) > self._capacity:
            self._messages.popitem(last=False)
        self.version += 1

    def get(self, message_id: str) -> Message | None:
        """The message of this id, if it is still kept."""
        return self._messages.get(message_id)

    def newest(self, limit: int) -> list[Message]:
        """The latest messages, newest first."""
        return list(islice(reversed(self._messages.values()), limit))

    def mark(self, messages: list[Message], state: CallbackState) -> None:
        """Write down how far the events of these messages are."""
        for message in messages:
            message.callbacks = state
        self.version += 1

    def forget(self, addresses: set[str]) -> None:
        """Forget all messages to these addresses, given in lower case."""
        for message in list(self):
            if any(recipient.email.lower() in addresses for recipient in message.recipients):
                del self._messages[message.id]
        self.version += 1

    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()
        self.version += 1
