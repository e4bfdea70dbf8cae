"""Stripe's events: written when something happens, and posted to the webhook, signed as Stripe signs.

Source: Stripe's "Receive Stripe events in your webhook endpoint" and "Verify webhook signatures".
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from workers.dev.sandbox.courier import Post
from workers.dev.sandbox.store import CallbackState
from workers.dev.sandbox.stripe_mischief import Mischief
from workers.dev.sandbox.stripe_objects import StripeEvent, new_id
from workers.dev.sandbox.stripe_reversals import NotPossibleError, kept
from workers.dev.sandbox.stripe_views import event as event_view
from workers.dev.sandbox.stripe_views import pack, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.courier import Courier
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.stripe_objects import StripeObject

_LANES: Final = 8


class Events:
    """Writes events and posts them; several at once, so in no order that could be relied on.

    Args:
        sandbox: Keeps the events, and says where they are posted.
        courier: Carries them.
        delay: Seconds from an event to the first try.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier, delay: float) -> None:
        self._sandbox = sandbox
        self._courier = courier
        self._delay = delay
        self._due: asyncio.Queue[StripeEvent] = asyncio.Queue()
        self._tasks: asyncio.TaskGroup | None = None
        self.mischief: Final = Mischief()

    def write(
        self, kind: str, about: StripeObject, before: Mapping[str, object] | None, now: int
    ) -> StripeEvent:
        """Keep an event, and let the webhook follow, if there is anybody to tell; as `Tell` says."""
        data = {"object": shown(about)} | ({} if before is None else {"previous_attributes": dict(before)})
        event = StripeEvent(new_id("evt"), now, kind, about.id, pack(data))
        self._sandbox.stripe.events.add(event)
        if self._sandbox.controls.stripe_webhook_url:
            self._announce(event)
        return event

    def resend(self, event_id: str) -> StripeEvent:
        """Post an event again, also one that was lost; whatever goes wrong on demand, this does not.

        Raises:
            NotPossibleError: There is no such event, or nobody to tell.
        """
        event = kept(self._sandbox.stripe.events, event_id)
        if not self._sandbox.controls.stripe_webhook_url:
            raise NotPossibleError("There is no webhook: set stripe_webhook_url.")
        if event.undelivered or event.delivery is CallbackState.NONE:
            self._mark(event, CallbackState.WAITING)
        self._due.put_nowait(event)
        return event

    async def run(self) -> NoReturn:
        """Post what is due, until cancelled. What fails is tried again beside what comes next."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for _ in range(_LANES):
                tasks.create_task(self._carry())
            await asyncio.Event().wait()
        raise AssertionError("the lanes never end")

    def _announce(self, event: StripeEvent) -> None:
        lot = self.mischief.draw()
        if lot.lost:
            self._mark(event, CallbackState.ABANDONED)
            return
        self._mark(event, CallbackState.WAITING)
        for _ in range(2 if lot.doubled else 1):
            if seconds := self._delay + lot.seconds_late:
                asyncio.get_running_loop().call_later(seconds, self._due.put_nowait, event)
            else:
                self._due.put_nowait(event)

    async def _carry(self) -> NoReturn:
        assert self._tasks is not None
        while True:
            event = await self._due.get()
            if await self._courier.post(partial(self._signed, event)):
                self._mark(event, CallbackState.DELIVERED)
            elif event.delivery is not CallbackState.DELIVERED:
                self._mark(event, CallbackState.RETRYING)
                self._tasks.create_task(self._retry(event))

    async def _retry(self, event: StripeEvent) -> None:
        if await self._courier.insist(partial(self._signed, event)):
            self._mark(event, CallbackState.DELIVERED)
        elif event.undelivered:
            self._mark(event, CallbackState.ABANDONED)

    def _mark(self, event: StripeEvent, state: CallbackState) -> None:
        event.delivery = state
        self._sandbox.stripe.touched()

    def _signed(self, event: StripeEvent) -> Post:
        event.tries += 1
        body = json.dumps(event_view(event)).encode()
        controls = self._sandbox.controls
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": _signature(body, controls.stripe_webhook_secret, int(time.time())),
        }
        return Post(controls.stripe_webhook_url, headers, body)


def _signature(body: bytes, secret: str, timestamp: int) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
