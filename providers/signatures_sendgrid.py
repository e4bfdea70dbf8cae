"""Proof that a callback comes from SendGrid."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from providers.signatures import EPOCH_SECONDS, BadSignature

if TYPE_CHECKING:
    from datetime import datetime


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
        if not EPOCH_SECONDS.fullmatch(timestamp):
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
