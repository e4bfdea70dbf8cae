"""Payments by way of Stripe: what is asked of it, and the sessions that it is told to make and to close."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from providers import stripe_making as making
from providers import stripe_reading as reading
from providers.codes import CodeTable, Kind, Verdict
from providers.errors import Ambiguous, Rejected, Transient
from providers.redaction import redact
from providers.retry_after import seconds_until_allowed
from providers.stripe_http import UNREADABLE, Refusal, client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from providers.errors import ProviderError
    from providers.payments import (
        Checkout,
        Dispute,
        NewCheckout,
        Page,
        Payment,
        PaymentEvent,
        Refund,
        Window,
    )
    from providers.transport import PooledTransport

T = TypeVar("T")

# The most that a page may have.
PAGE_SIZE = 100

_CODES = CodeTable("stripe")
_NO_SUCH_OBJECT = "resource_missing"
_WHOLE = ["payment_intent.latest_charge"]
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")


class StripePayments:
    """Asks Stripe, one call a question. Holds nothing that a call changes, so threads share it.

    A question may be asked again, and so may what is told: a session that is made has its idempotency key.
    So an answer that was lost or makes no sense is ``Transient``, and nothing is ever ``Ambiguous``.

    Args:
        api_key: The secret key, ``sk_…``, or a restricted one, ``rk_…``.
        base_url: ``https://api.stripe.com``, or where something else speaks its API.
        transport: The lines.
        turn: Waits until a call may be made, or raises a ``ProviderError``.
        now: The present in epoch seconds, for rate limit headers that name a moment.

    Raises:
        ValueError: A setting is malformed.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        transport: PooledTransport,
        turn: Callable[[], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._key = api_key
        self._turn = turn
        self._now = now
        # The SDK makes its services on first use, unguarded: all of it happens here, in one thread.
        of = client(api_key, base_url, transport).v1
        self._sessions = of.checkout.sessions
        self._intents = of.payment_intents
        self._disputes = of.disputes
        self._events = of.events
        self._refunds = of.refunds

    def checkout(self, session_id: str) -> Checkout | None:
        """One session with its payment. See ``PaymentProvider.checkout``."""
        ask = partial(self._sessions.retrieve, session_id, {"expand": _WHOLE})
        return self._one(session_id, ask, reading.checkout)

    def create(self, request: NewCheckout, idempotency_key: str) -> Checkout:
        """Make a session. See ``CheckoutMaker.create``."""
        wanted = making.session(request) | {"expand": _WHOLE}
        make: Callable[[], Any] = partial(self._sessions.create, wanted, {"idempotency_key": idempotency_key})
        with self._question():
            return reading.checkout(make().last_response.data)

    def expire(self, session_id: str) -> Checkout | None:
        """Close a session that is open. See ``CheckoutMaker.expire``."""
        tell = partial(self._sessions.expire, session_id, {"expand": _WHOLE})
        try:
            return self._one(session_id, tell, reading.checkout)
        except Rejected:
            # Stripe has no code for it: it is not open any more, or it is something else.
            found = self.checkout(session_id)
            if found is not None and found.status == "open":
                raise
            return found

    def checkout_of(self, payment_id: str) -> Checkout | None:
        """The session that a payment was made in. See ``PaymentProvider.checkout_of``."""
        expand = ["data.payment_intent.latest_charge"]
        ask = partial(self._sessions.list, {"payment_intent": payment_id, "limit": 1, "expand": expand})
        found = self._one(payment_id, ask, partial(reading.page, read=reading.checkout))
        return found.items[0] if found and found.items else None

    def payment(self, payment_id: str) -> Payment | None:
        """One payment with its last charge. See ``PaymentProvider.payment``."""
        ask = partial(self._intents.retrieve, payment_id, {"expand": ["latest_charge"]})
        return self._one(payment_id, ask, reading.payment)

    def dispute(self, dispute_id: str) -> Dispute | None:
        """One dispute. See ``PaymentProvider.dispute``."""
        return self._one(dispute_id, partial(self._disputes.retrieve, dispute_id), reading.dispute)

    def events(
        self, window: Window, types: Sequence[str], after: str | None, *, undelivered: bool = False
    ) -> Page[PaymentEvent]:
        """A page of what happened. See ``PaymentProvider.events``."""
        wanted: dict[str, Any] = {"types": [*types]}
        if undelivered:
            wanted["delivery_success"] = False
        return self._page(self._events.list, window, after, wanted, reading.event)

    def payments(self, window: Window, after: str | None) -> Page[Payment]:
        """A page of payments with their last charges. See ``PaymentProvider.payments``."""
        expand = {"expand": ["data.latest_charge"]}
        return self._page(self._intents.list, window, after, expand, reading.payment)

    def refunds(self, window: Window, after: str | None) -> Page[Refund]:
        """A page of refunds. See ``PaymentProvider.refunds``."""
        return self._page(self._refunds.list, window, after, {}, reading.refund)

    def _one(self, some_id: str, ask: Callable[[], Any], read: Callable[[Any], T]) -> T | None:
        if not _ID.fullmatch(some_id):
            return None  # no id of Stripe's, and nothing to put into a path
        with self._question():
            try:
                return read(ask().last_response.data)
            except Refusal as refusal:
                if refusal.code != _NO_SUCH_OBJECT:
                    raise
        return None

    def _page(
        self,
        ask: Callable[[Any], Any],
        window: Window,
        after: str | None,
        more: Mapping[str, Any],
        read: Callable[[Any], T],
    ) -> Page[T]:
        created = {"gte": int(window.since.timestamp()), "lte": int(window.until.timestamp())}
        wanted = {"created": created, "limit": PAGE_SIZE, "starting_after": after, **more}
        with self._question():
            return reading.page(ask(wanted).last_response.data, read)

    @contextmanager
    def _question(self) -> Iterator[None]:
        self._turn()
        try:
            yield
        except Refusal as refusal:
            raise self._failure(refusal) from refusal
        except Ambiguous as lost:
            raise Transient(lost.code, lost.detail) from lost
        except UNREADABLE as error:
            # Without its cause: the SDK's words have the whole answer in them.
            raise Transient("unreadable_answer", f"{type(error).__name__} in reading a 2xx") from None

    def _failure(self, refusal: Refusal) -> ProviderError:
        verdict = _CODES.judge(refusal.status, refusal.code)
        if verdict.kind is Kind.AMBIGUOUS:
            verdict = Verdict(Kind.TRANSIENT, verdict.known)
        wait = seconds_until_allowed(refusal.headers, self._now())
        code = refusal.code or f"http_{refusal.status}"
        return _CODES.error(verdict, code, redact(refusal.said, self._key), wait)
