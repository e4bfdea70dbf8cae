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
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.dev.sandbox.courier import Post
from workers.dev.sandbox.store import CallbackState

if TYPE_CHECKING:
    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.store import Message

_EVENTS_PER_POST = 100


class Signer:
    """Signs as SendGrid does: ECDSA over P-256 and SHA-256, of the timestamp and the raw body.

    Args:
        private_key_pem: The key, without a passphrase; made up when absent.

    Raises:
        ValueError: The key is not one of P-256.
    """

    def __init__(self, private_key_pem: str | None) -> None:
        if private_key_pem is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            return
        key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
            message = "the sandbox's private key must be an EC key on P-256 (prime256v1), as PEM"
            raise ValueError(message)  # noqa: TRY004  the text is of the wrong kind, not the argument
        self._key = key

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
    """Posts ``processed`` and ``delivered`` for every accepted message, a while after its acceptance.

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
        self._due: deque[tuple[float, Message]] = deque()
        self._work = asyncio.Event()

    def announce(self, message: Message) -> None:
        """Let the events of a message follow, if there is anybody to tell."""
        if not self._sandbox.controls.webhook_url:
            return
        message.callbacks = CallbackState.WAITING
        self._due.append((time.monotonic() + self._delay, message))
        self._work.set()

    async def run(self) -> NoReturn:
        """Post what is due, until cancelled. What fails is tried again beside what comes next."""
        async with asyncio.TaskGroup() as retries:
            while True:
                batch = await self._next_batch()
                events = [event for message in batch for event in events_of(message, int(time.time()))]
                body = json.dumps(events).encode()
                if await self._courier.post(partial(self._signed, body)):
                    self._sandbox.store.mark(batch, CallbackState.DELIVERED)
                else:
                    self._sandbox.store.mark(batch, CallbackState.RETRYING)
                    retries.create_task(self._retry(batch, body))

    async def _next_batch(self) -> list[Message]:
        while not self._due:
            self._work.clear()
            await self._work.wait()
        await asyncio.sleep(self._due[0][0] - time.monotonic())
        await self._courier.released()
        batch: list[Message] = []
        events = 0
        while self._due and self._due[0][0] <= time.monotonic():
            events += 2 * len(self._due[0][1].recipients)
            if batch and events > _EVENTS_PER_POST:
                break
            batch.append(self._due.popleft()[1])
        return batch

    async def _retry(self, batch: list[Message], body: bytes) -> None:
        arrived = await self._courier.insist(partial(self._signed, body))
        self._sandbox.store.mark(batch, CallbackState.DELIVERED if arrived else CallbackState.ABANDONED)

    def _signed(self, body: bytes) -> Post:
        return Post(self._sandbox.controls.webhook_url, self._signer.headers(body, int(time.time())), body)


def events_of(message: Message, timestamp: int) -> list[dict[str, Any]]:
    """The events of one message: ``processed`` and ``delivered`` for each recipient.

    Args:
        message: The accepted message.
        timestamp: Unix time in seconds.
    """
    events = []
    for index, recipient in enumerate(message.recipients):
        common = {
            # The arguments come first: one named like a field of SendGrid's own must not replace it.
            **recipient.custom_args,
            "email": recipient.email,
            "timestamp": timestamp,
            "smtp-id": f"<{message.id}@sandbox>",
            "category": list(message.categories),
            "sg_message_id": f"{message.id}.recvd-sandbox-1-{timestamp:X}-1.{index}",
        }
        processed = {**common, "event": "processed", "sg_event_id": secrets.token_urlsafe(36)}
        delivered = {**common, "event": "delivered", "sg_event_id": secrets.token_urlsafe(36)}
        events += [processed, {**delivered, "response": "250 OK"}]
    return events
