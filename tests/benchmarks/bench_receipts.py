"""A storm of callbacks: 10,000 receipts shuffled, each three times, and forged ones among the posts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.notifications.pipeline import Clock
from tests.notifications.test_receipts_any_order import storm
from tests.notifications.test_receipts_forged import forged_among_genuine
from tests.notifications.told import Told
from workers.dev.application import Application

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

RECEIPTS = 10_000
FORGED = 300
LONGEST_SECONDS = 60.0


@pytest.fixture
def told(owner_url: str, sessions: sessionmaker[Session], application: sessionmaker[Session]) -> Told:
    with Application(owner_url) as platform:
        client = platform.register("camille@example.com", "Camille Exemple")
    clock = Clock()
    clock.now = clock.now.replace(microsecond=0)
    return Told(sessions, application, clock, client.user_id)


def test_ten_thousand_receipts_thrice(told: Told) -> None:
    seconds = storm(told, RECEIPTS)
    sys.stdout.write(
        f"\n\n{3 * RECEIPTS:,} callbacks of {RECEIPTS:,} receipts worked off in {seconds:.1f} s,"
        f" {3 * RECEIPTS / seconds:,.0f} a second\n"
    )
    assert seconds < LONGEST_SECONDS


def test_forged_posts_among_as_many_genuine_ones(told: Told) -> None:
    forged_among_genuine(told, messages=FORGED, forged=FORGED)
