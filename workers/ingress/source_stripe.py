"""Stripe as a source of callbacks: events that only point to what has happened."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from starlette.responses import JSONResponse, Response

from providers.signatures import BadSignature
from workers.ingress.refusals import Malformed, WrongSignature
from workers.ingress.sources import Callback, Post

if TYPE_CHECKING:
    from providers.signatures_stripe import StripeSignatures

_EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True)
class StripeEvents:
    """Stripe's webhook: one event a post, signed as it is.

    Source: Stripe, "Receive events in your webhook endpoint". An event is small, but it carries its whole
    object; Stripe names no bound for either.

    Attributes:
        signatures: Checks them, and their age.
    """

    provider: ClassVar[str] = "stripe"
    path: ClassVar[str] = "/webhooks/stripe"
    body_limit: ClassVar[int] = 1024 * 1024
    media_type: ClassVar[str | None] = None

    signatures: StripeSignatures

    def callbacks(self, post: Post) -> list[Callback]:
        """The one event of a post."""
        try:
            self.signatures.verify(post.body, post.headers.get("Stripe-Signature", ""))
        except BadSignature as error:
            raise WrongSignature(error.reason) from None
        try:
            event = json.loads(post.body)
        except (ValueError, RecursionError):
            raise Malformed("not JSON") from None
        event_id = event.get("id") if isinstance(event, dict) else None
        if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
            raise Malformed("not an event: no id evt_...")
        return [Callback(event_id, event)]

    def thanks(self) -> Response:
        """Any 2xx will do, and Stripe shows it to people."""
        return JSONResponse({})
