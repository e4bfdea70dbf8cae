"""Stripe's SDK over the common transport."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import stripe

from providers.checks import base_url as checked_base_url
from providers.checks import secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.transport import PooledTransport

_CODE = re.compile(r"[a-z0-9_]{1,64}")

# What the SDK would send besides tells of the machine and of what runs on it.
_SENT = ("Authorization", "Stripe-Version", "Content-Type", "Idempotency-Key")

# What the SDK raises when an answer is not what it expects.
UNREADABLE = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError),
    stripe.StripeError,
)


def client(api_key: str, base_url: str, transport: PooledTransport) -> stripe.StripeClient:
    """Make the SDK's access to an account.

    Its calls raise ``Refusal`` for every answer outside 2xx, what the transport raises, and one of
    ``UNREADABLE`` where an answer makes no sense. It tries nothing twice.

    Args:
        api_key: The secret key, ``sk_…``, or a restricted one, ``rk_…``.
        base_url: ``https://api.stripe.com``, or where something else speaks its API.
        transport: The lines.

    Raises:
        ValueError: The key or the address is malformed.
    """
    # The SDK has no other switch. With it on, an id of this machine is written to the home folder and sent.
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        secret(api_key, "Stripe secret key"),
        base_addresses={"api": checked_base_url(base_url, "Stripe")},
        http_client=PooledHttp(transport),
        max_network_retries=0,
    )


class Refusal(Exception):  # noqa: N818 - an answer like any other, never seen outside the adapter
    """Stripe's answer is a no.

    Attributes:
        status: The HTTP status.
        code: Stripe's own code, if the answer had one.
        said: The explanation, as it came.
        headers: The answer's headers.
    """

    def __init__(self, status: int, code: str | None, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.said = said
        self.headers = headers


class PooledHttp(stripe.HTTPClient):
    """Stands in for the SDK's HTTP client.

    Args:
        transport: The lines.
    """

    name = "pooled"

    def __init__(self, transport: PooledTransport) -> None:
        super().__init__()
        self._transport = transport

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one question of the SDK's making.

        Raises:
            Refusal: The answer is not a 2xx.
            ProviderError: As the transport says.
        """
        given = headers or {}
        sent = {name: given[name] for name in _SENT if name in given}
        body = None if post_data is None else post_data.encode()
        answer = self._transport.request(method.upper(), url, sent, body)
        if answer.status // 100 != 2:  # noqa: PLR2004 - the class of success
            raise _refusal(answer.status, answer.body, answer.headers)
        # Without the headers: the SDK reads the environment for what to do about some of them.
        return answer.body.decode("utf-8", "replace"), answer.status, {}


def _refusal(status: int, body: bytes, headers: Mapping[str, str]) -> Refusal:
    try:
        error = json.loads(body)["error"]
        code, said = error.get("code"), error.get("message")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        code = said = None
    known_form = isinstance(code, str) and _CODE.fullmatch(code)
    explanation = str(said) if said else f"no explanation in {len(body)} bytes"
    return Refusal(status, code if known_form else None, explanation, headers)
