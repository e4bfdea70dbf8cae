"""A thousand orders, a third of their webhooks lost, a third doubled, a third late: one reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from providers.pacing import SharedPace
from tests.payments.storm import storm
from tests.sandbox.conftest import API_KEY
from tests.sandbox.conftest import serving as serving_sandbox
from workers.dev.sandbox.state import SandboxSettings

if TYPE_CHECKING:
    import threading

    from sqlalchemy.orm import Session, sessionmaker

ORDERS = 1_000
PER_SECOND = 20
LIMIT_PER_SECOND = 25
"""Stripe's own in test mode; the applications' calls count as well."""


def test_a_thousand_orders_are_brought_to_their_right_states(
    owner_url: str, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> None:
    leaving: list[threading.Thread] = []
    pace = SharedPace("stripe", MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerSecond(PER_SECOND))
    settings = SandboxSettings(api_key=API_KEY, webhook_delay=0.0)
    with (
        serving_sandbox(settings, leaving) as sandbox,
        storm(owner_url, sessions, application, sandbox, leaving, pace.wait) as raging,
    ):
        figures = raging.run(ORDERS)
    for thread in leaving:
        thread.join()
    figures.show()
    assert figures.calls <= figures.least * 1.2
