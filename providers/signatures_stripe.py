"""Proof that a webhook comes from Stripe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stripe import SignatureVerificationError, WebhookSignature

from providers.checks import webhook_secret
from providers.signatures import EPOCH_SECONDS, BadSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class StripeSignatures:
    """Checks Stripe's webhooks, by the SDK's own check.

    The signature is HMAC with SHA-256, by the endpoint's secret, of the timestamp and the raw body (Stripe,
    "Receive events in your webhook endpoint"). The SDK lets pass what is signed for a time to come, so the
    age is checked here, either way.

    Args:
        secrets: The endpoint's secrets, ``whsec_…``; while one is replaced both are true.
        tolerance_seconds: How far the timestamp may be from now, either way.
        now: The present in epoch seconds.

    Raises:
        ValueError: There is none, or one that cannot be.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        tolerance_seconds: float = 300,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not secrets:
            raise ValueError("there is no Stripe webhook secret; copy the endpoint's, whsec_…")
        self._secrets = [webhook_secret(text) for text in secrets]
        self._tolerance = tolerance_seconds
        self._now = now

    def verify(self, body: bytes, header: str) -> None:
        """Check one webhook; to be done before anything of it is parsed.

        Args:
            body: The request's body, byte for byte.
            header: The header ``Stripe-Signature``.

        Raises:
            BadSignature: It does not hold, or is too old or from the future, or is no signature at all.
        """
        timestamp = _stripe_timestamp(header)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadSignature("body is not UTF-8") from None
        if not any(self._is_signed(text, header, known) for known in self._secrets):
            raise BadSignature("signature does not match")
        age = self._now() - timestamp
        if abs(age) > self._tolerance:
            raise BadSignature(f"timestamp is {abs(age):.0f} s {'old' if age > 0 else 'ahead'}")

    @staticmethod
    def _is_signed(text: str, header: str, known: str) -> bool:
        try:
            return bool(WebhookSignature.verify_header(text, header, known, tolerance=None))
        except SignatureVerificationError:
            return False


def _stripe_timestamp(header: str) -> int:
    """Read the time of ``t=…,v1=…``: of several the first, as the SDK does."""
    fields = [field.partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    # The SDK cannot compare a signature outside ASCII.
    if not header.isascii() or not times or not EPOCH_SECONDS.fullmatch(times[0]):
        raise BadSignature("header is not of the form t=…,v1=…")
    if not any(name == "v1" for name, _, _ in fields):
        raise BadSignature("header has no v1 signature")
    return int(times[0])
