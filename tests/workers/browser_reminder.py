"""The link in a reminder in a real, headless Chromium: opened, pressed, and paid at the sandbox's checkout.

The pictures are left in ``.fleet/checkout/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import Browser
from tests.workers.test_reminder_page import Desk, desk, leaving, payments, stripe

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["desk", "leaving", "payments", "stripe"]  # fixtures

PICTURES = Path(__file__).parents[2] / ".fleet" / "checkout"


@pytest.fixture(params=[390, 1200], ids=["phone", "desktop"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    """A tab that has nothing to complain of."""
    with Browser(tmp_path, request.param) as browser:
        yield browser
        assert browser.complaints == []


def test_the_button_leads_to_the_checkout_where_it_is_paid(browser: Browser, desk: Desk) -> None:
    client = desk.client()
    path = desk.remind(client)
    link = f"{desk.caller.url}{path}"
    browser.open(link)
    assert "LLC Formation" in browser.text()
    assert not browser.is_too_wide()
    browser.picture(PICTURES / f"reminder.{browser.run('return innerWidth;')}.png")
    browser.click("button")
    assert browser.url() == desk.checkout(client)
    browser.click('button[value="pay"]')
    assert [each.payment_status for each in desk.stripe.stripe_sessions()] == ["paid"]
    assert desk.clicks()[0][1] is not None
