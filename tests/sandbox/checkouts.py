"""Checkout Sessions made by Stripe's own SDK, and forms posted as a browser posts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import stripe
import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

    Begin = Callable[..., stripe.checkout.Session]

__all__ = ["begin", "post_form", "stripe_api"]

NOBODY = "http://127.0.0.1:9"
"""An application that is not running: no machine of ours listens there."""


@pytest.fixture
def stripe_api(sandbox: SandboxClient, settings: SandboxSettings) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient(timeout=10)
    yield stripe.StripeClient(
        settings.stripe_key,
        base_addresses={"api": sandbox.base_url},
        http_client=http,
        max_network_retries=0,
    )
    http.close()  # type: ignore[no-untyped-call]  # the SDK's own


@pytest.fixture
def begin(stripe_api: stripe.StripeClient) -> Begin:
    """Opens a Checkout Session."""

    def _begin(
        name: str = "LLC Formation",
        amount: int = 99_900,
        currency: str = "usd",
        *,
        app: str = NOBODY,
        **more: Any,
    ) -> stripe.checkout.Session:
        price = {"currency": currency, "unit_amount": amount, "product_data": {"name": name}}
        asked: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": f"{app}/paid?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{app}/left",
            **more,
        }
        return stripe_api.v1.checkout.sessions.create(asked)

    return _begin


def post_form(url: str, site: str = "same-origin", /, **fields: Any) -> urllib3.BaseHTTPResponse:
    """Post a form, and don't follow where it leads."""
    return urllib3.request(
        "POST",
        url,
        body=urlencode(fields),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": site},
        redirect=False,
        retries=False,
    )
