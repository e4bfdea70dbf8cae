"""SendGrid's event webhook: what it says of each message, signed as SendGrid signs.

Source: SendGrid's "Event Webhook Reference" and "Getting Started with the Event Webhook Security Features".
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.dev.sandbox.courier import Post
from workers.dev.sandbox.store import CallbackState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.store import Message

_EVENTS_PER_POST = 100
_EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "deliver": ("processed", "delivered"),
    "late": ("processed", "delivered"),
    "silent": (),
    "bounce": ("processed", "bounce"),
    "block": ("processed", "blocked"),
    "drop": ("dropped",),
    "defer": ("processed", "deferred", "delivered"),
    "open": ("processed", "delivered", "open"),
    "click": ("processed", "delivered", "open", "click"),
    "spam": ("processed", "delivered", "spamreport"),
    "unsubscribe": ("processed", "delivered", "unsubscribe"),
}
_BROWSER: Final = {"useragent": "Mozilla/5.0 (sandbox)", "ip": "192.0.2.1"}
_DETAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "delivered": {"response": "250 OK"},
    "deferred": {"response": "451 4.7.1 Greylisted, try again later", "attempt": "1"},
    "bounce": {
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
        "bounce_classification": "Invalid Address",
        "tls": 1,
    },
    # Shown as a bounce of the type "blocked".
    "blocked": {
        "event": "bounce",
        "type": "blocked",
        "status": "5.7.1",
        "reason": "550 5.7.1 The message was blocked by the receiving server.",
        "bounce_classification": "Reputation",
        "tls": 1,
    },
    "dropped": {"status": "5.0.0", "reason": "Bounced Address"},
    "open": {**_BROWSER, "sg_machine_open": False},
    "click": {**_BROWSER, "url": "https://example.com/", "url_offset": {"index": 0, "type": "html"}},
}


@dataclass(frozen=True, slots=True)
class _Due:
    """A message, when its events are due by the monotonic clock, and what becomes of it per recipient."""

    at: float
    message: Message
    conducts: tuple[str, ...]


_KNOWN_TO_ALL: Final = int.from_bytes(b"signs only what a sandbox says")


class Signer:
    """Signs as SendGrid does: ECDSA over P-256 and SHA-256, of the timestamp and the raw body.

    By a key that everybody knows and that is the same at each start, as the sandbox's other keys are.
    """

    def __init__(self) -> None:
        self._key = ec.derive_private_key(_KNOWN_TO_ALL, ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """The public half as SendGrid's settings show it: base64 of the DER SubjectPublicKeyInfo."""
        encoded = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(encoded).decode()

    def headers(self, body: bytes, timestamp: int) -> dict[str, str]:
        """The headers of a signed POST.

        Args:
            body: As it goes over the line.
            timestamp: Unix time in seconds.
        """
        signature = self._key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "Content-Type": "application/json;charset=utf-8",
            "User-Agent": "SendGrid Event API",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
        }


class EventWebhook:
    """Posts what becomes of every accepted message, a while after its acceptance.

    Args:
        sandbox: Its store is told how far the events are, its controls say where to.
        courier: Carries them.
        signer: Signs them.
        delay: Seconds from the acceptance to the first try.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier, signer: Signer, delay: float) -> None:
        self._sandbox = sandbox
        self._courier = courier
        self._signer = signer
        self._delay = delay
        self._due: deque[_Due] = deque()
        self._work = asyncio.Event()

    def announce(self, message: Message) -> None:
        """Let the events of a message follow, if there is anybody to tell."""
        if not self._sandbox.controls.webhook_url:
            return
        behaviours = [self._sandbox.behaviours.take("email", each.email) for each in message.recipients]
        if all(behaviour.does == "silent" for behaviour in behaviours):
            return
        message.callbacks = CallbackState.WAITING
        conducts = tuple(behaviour.does for behaviour in behaviours)
        if lateness := max(behaviour.seconds or 0.0 for behaviour in behaviours):
            asyncio.get_running_loop().call_later(lateness, self._add, message, conducts)
        else:
            self._add(message, conducts)

    def _add(self, message: Message, conducts: tuple[str, ...]) -> None:
        self._due.append(_Due(time.monotonic() + self._delay, message, conducts))
        self._work.set()

    async def run(self) -> NoReturn:
        """Post what is due, until cancelled. What fails is tried again beside what comes next."""
        async with asyncio.TaskGroup() as retries:
            while True:
                due = await self._next_batch()
                batch = [each.message for each in due]
                now = int(time.time())
                events = [event for each in due for event in events_of(each.message, each.conducts, now)]
                body = json.dumps(events).encode()
                if await self._courier.post(partial(self._signed, body)):
                    self._sandbox.store.mark(batch, CallbackState.DELIVERED)
                else:
                    self._sandbox.store.mark(batch, CallbackState.RETRYING)
                    retries.create_task(self._retry(batch, body))

    async def _next_batch(self) -> list[_Due]:
        while not self._due:
            self._work.clear()
            await self._work.wait()
        await asyncio.sleep(self._due[0].at - time.monotonic())
        await self._courier.released()
        batch: list[_Due] = []
        events = 0
        while self._due and self._due[0].at <= time.monotonic():
            events += sum(len(_EVENTS.get(does, _EVENTS["deliver"])) for does in self._due[0].conducts)
            if batch and events > _EVENTS_PER_POST:
                break
            batch.append(self._due.popleft())
        return batch

    async def _retry(self, batch: list[Message], body: bytes) -> None:
        arrived = await self._courier.insist(partial(self._signed, body))
        self._sandbox.store.mark(batch, CallbackState.DELIVERED if arrived else CallbackState.ABANDONED)

    def _signed(self, body: bytes) -> Post:
        return Post(self._sandbox.controls.webhook_url, self._signer.headers(body, int(time.time())), body)


def events_of(message: Message, conducts: tuple[str, ...], timestamp: int) -> list[dict[str, Any]]:
    """The events of one message.

    Args:
        message: The accepted message.
        conducts: What becomes of it, for each recipient.
        timestamp: Unix time in seconds.
    """
    events: list[dict[str, Any]] = []
    for index, (recipient, does) in enumerate(zip(message.recipients, conducts, strict=True)):
        common = {
            # The arguments come first: one named like a field of SendGrid's own must not replace it.
            **recipient.custom_args,
            "email": recipient.email,
            "timestamp": timestamp,
            "smtp-id": f"<{message.id}@sandbox>",
            "category": list(message.categories),
            "sg_message_id": f"{message.id}.recvd-sandbox-1-{timestamp:X}-1.{index}",
        }
        events += [
            {**common, "event": name, "sg_event_id": secrets.token_urlsafe(36), **_DETAILS.get(name, {})}
            for name in _EVENTS.get(does, _EVENTS["deliver"])
        ]
    return events
