"""One sandbox for a module's tests on Stripe, as new before each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.conftest import API_KEY, serving
from workers.dev.sandbox.state import USUAL_STRIPE_KEY, USUAL_STRIPE_SECRET, SandboxSettings

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from workers.dev.sandbox.client import SandboxClient

__all__ = ["sandbox", "shared"]


@pytest.fixture(scope="module")
def shared(leaving: list[threading.Thread]) -> Iterator[SandboxClient]:
    with serving(SandboxSettings(api_key=API_KEY, webhook_delay=0.0, capacity=50), leaving) as client:
        yield client


@pytest.fixture
def sandbox(shared: SandboxClient) -> SandboxClient:
    shared.clear_stripe()
    shared.clear_faults()
    shared.stripe_webhooks()
    shared.change(
        webhooks=True,
        stripe_key=USUAL_STRIPE_KEY,
        stripe_webhook_secret=USUAL_STRIPE_SECRET,
        stripe_webhook_url="",
        stripe_per_second=0,
    )
    return shared
