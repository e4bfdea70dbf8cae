"""Proof that a callback or a message comes from Twilio."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twilio.request_validator import add_port, remove_port

from providers.checks import secret
from providers.signatures import BadSignature

if TYPE_CHECKING:
    from collections.abc import Iterable


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
