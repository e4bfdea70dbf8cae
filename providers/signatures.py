"""Proof that a callback comes from the provider that it claims to come from."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from stripe import SignatureVerificationError, WebhookSignature
from twilio.request_validator import add_port, remove_port

from providers.checks import secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

_EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")


class BadSignature(Exception):  # noqa: N818 - as the kinds of providers.errors: named for what was found
    """The callback is not shown to be the provider's.

    Args:
        reason: Why, for the log; nothing of the callback's content.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SendGridSignatures:
    """Checks the signed event webhook.

    The signature is ECDSA with SHA-256 over the timestamp's characters followed by the raw body (SendGrid,
    "Event Webhook Security Features"). The SDK's own helper wants the body decoded and checks no age.

    Args:
        public_key: The verification key as SendGrid shows it: base64 of a DER public key.
        tolerance_seconds: How far the timestamp may be from now, either way.

    Raises:
        ValueError: The key is not such a key.
    """

    def __init__(self, public_key: str, tolerance_seconds: float) -> None:
        self._key = _elliptic_key(public_key)
        self._tolerance = tolerance_seconds

    def verify(self, body: bytes, signature: str, timestamp: str, now: datetime) -> None:
        """Check one callback; to be done before anything of it is parsed.

        Args:
            body: The request's body, byte for byte.
            signature: The header ``X-Twilio-Email-Event-Webhook-Signature``.
            timestamp: The header ``X-Twilio-Email-Event-Webhook-Timestamp``, in epoch seconds.
            now: The present, with its zone.

        Raises:
            BadSignature: It does not hold, or is too old or from the future, or is no signature at all.
        """
        if not _EPOCH_SECONDS.fullmatch(timestamp):
            raise BadSignature("timestamp is not in epoch seconds")
        age = now.timestamp() - int(timestamp)
        if abs(age) > self._tolerance:
            raise BadSignature(f"timestamp is {abs(age):.0f} s {'old' if age > 0 else 'ahead'}")
        try:
            raw = base64.b64decode(signature, validate=True)
            self._key.verify(raw, timestamp.encode("ascii") + body, ec.ECDSA(SHA256()))
        except ValueError as error:  # binascii's error and the one for characters outside ASCII
            raise BadSignature("signature is not base64") from error
        except InvalidSignature as error:  # malformed DER as well
            raise BadSignature("signature does not match") from error


class TwilioSignatures:
    """Checks Twilio's callbacks and inbound messages.

    The signature is HMAC-SHA1, by the account's auth token, of the URL that Twilio requested and the form's
    names and values in order (Twilio, "Secure webhooks"). It has no timestamp, so an old callback sent again
    is as true as on its first day: that does nothing, because a callback is stored once and a state only
    moves forward. The SDK's own validator takes no repeated parameters from plain values and does not compare
    in constant time.

    Args:
        auth_token: The account's token.

    Raises:
        ValueError: It cannot be one.
    """

    def __init__(self, auth_token: str) -> None:
        self._key = secret(auth_token, "Twilio auth token").encode()

    def verify(self, url: str, parameters: Iterable[tuple[str, str]], signature: str) -> None:
        """Check one callback.

        What is signed is the form's content, not its bytes, so the form must be split into names and values
        first. That is all that may happen before: no value is looked at until this has passed.

        Args:
            url: The address as Twilio was given it, its query included and its fragment not. Behind a proxy
                it is made from the configured public URL; what the request says of itself does not count.
            parameters: The form's names and decoded values, blank ones too; none for a GET.
            signature: The header ``X-Twilio-Signature``.

        Raises:
            BadSignature: It does not hold, or is no signature at all.
        """
        form = "".join(name + value for name, value in sorted(set(parameters)))
        given = signature.encode("utf-8", "replace")
        parts = urlsplit(url)
        # Twilio signs the port of an address in one place and leaves it out in another, says its SDK.
        expected = [self._signature(spelling + form) for spelling in (remove_port(parts), add_port(parts))]
        if not any(hmac.compare_digest(one, given) for one in expected):
            raise BadSignature("signature does not match")

    def _signature(self, signed: str) -> bytes:
        return base64.b64encode(hmac.digest(self._key, signed.encode("utf-8", "replace"), "sha1"))


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
        self._secrets = [_webhook_secret(text) for text in secrets]
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


def _webhook_secret(text: str) -> str:
    if not secret(text, "Stripe webhook secret").removeprefix("whsec_") or not text.startswith("whsec_"):
        raise ValueError("a Stripe webhook secret does not begin with whsec_; copy the endpoint's again")
    return text


def _stripe_timestamp(header: str) -> int:
    """Read the time of ``t=…,v1=…``: of several the first, as the SDK does."""
    fields = [field.partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    # The SDK cannot compare a signature outside ASCII.
    if not header.isascii() or not times or not _EPOCH_SECONDS.fullmatch(times[0]):
        raise BadSignature("header is not of the form t=…,v1=…")
    if not any(name == "v1" for name, _, _ in fields):
        raise BadSignature("header has no v1 signature")
    return int(times[0])


def _elliptic_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "the SendGrid webhook key is not a public key in base64; copy the verification key from "
            "Mail Settings, Event Webhook, without any BEGIN and END lines"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        # A well-formed key of another kind is a wrong value, not a wrong type in the caller's code.
        raise ValueError("the SendGrid webhook key is not an elliptic curve key; copy it again")  # noqa: TRY004
    return key
