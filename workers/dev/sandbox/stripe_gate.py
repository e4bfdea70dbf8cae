"""Who may use Stripe's API, and how often.

Source: Stripe's "Authentication" and "Rate limits".
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING

from workers.dev.sandbox.exchange import Refusal
from workers.dev.sandbox.stripe_errors import error_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.state import Controls

_SHOWN_OF_KEY = 4


class Gate:
    """Lets requests in that bring the key, at most so many in one second as the controls say.

    Args:
        controls: The key and the limit.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._second = 0
        self._let_in = 0

    def admit(self, headers: Mapping[bytes, bytes]) -> None:
        """Let a request in.

        Raises:
            Refusal: It brings another key, or comes too soon.
        """
        key = _key_of(headers.get(b"authorization", b""))
        if key is None:
            raise _refusal(
                "You did not provide an API key. Give it in the Authorization header, as "
                "'Authorization: Bearer YOUR_SECRET_KEY'.",
                401,
            )
        if key != self._controls.stripe_key:
            raise _refusal(f"Invalid API Key provided: {'*' * 8}{key[-_SHOWN_OF_KEY:]}", 401)
        self._count()

    def _count(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._let_in = second, 0
        self._let_in += 1
        if 0 < self._controls.stripe_per_second < self._let_in:
            message = "Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits."
            raise _refusal(message, 429, code="rate_limit")


def _key_of(authorization: bytes) -> str | None:
    scheme, _, value = authorization.partition(b" ")
    match scheme.lower():
        case b"bearer":
            return value.decode("latin-1").strip() or None
        case b"basic":
            try:
                pair = base64.b64decode(value, validate=True)
            except binascii.Error:
                return None
            return pair.partition(b":")[0].decode("latin-1") or None
    return None


def _refusal(message: str, status: int, code: str | None = None) -> Refusal:
    answer = error_answer(message, status=status, code=code)
    more = [(b"stripe-rate-limited-reason", b"global-rate")] if code == "rate_limit" else []
    return Refusal(answer.status, answer.body, headers=[*answer.headers[1:], *more])
