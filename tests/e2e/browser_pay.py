"""A click on Pay in a real Chromium, on a stack as ``fleet up`` starts it: the profile becomes active.

The pictures are left in ``.fleet/checkout/``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from db.engine import make_engine
from db.seed import seed
from tests.browser import Browser
from tests.e2e.conftest import open_fleet
from tests.sandbox.browser_checkout import look
from tests.sandbox.checkouts import NOBODY
from workers.dev.shop import Shop
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Fleet


@pytest.fixture
def whole_fleet(run_folder: Path) -> Iterator[Fleet]:
    """Every process, servers of its own, and the platform's products."""
    # Where somebody develops the application, it runs at the usual address.
    stack = Stack(run_folder / "pay", bare_environment(os.environ) | {"APP_URL": NOBODY})
    for fleet in open_fleet(stack):
        engine = make_engine(fleet.owner_url, pool_size=1)
        with Session(engine) as session, session.begin():
            seed(session)
        engine.dispose()
        yield fleet


def test_a_click_on_pay_makes_a_client(whole_fleet: Fleet, tmp_path: Path) -> None:
    fleet = whole_fleet
    fleet.wait_reachable()
    with Shop(fleet.owner_url, fleet.stack.environment) as shop, Browser(tmp_path, 390) as browser:
        link = shop.payment_link("LLC_FORMATION", "camille@example.com", "Camille Exemple")
        client, checkout = shop.use_link(link.token)

        def profile() -> str:
            return str(fleet.one("select status::text from profiles where id = %s", client.user_id))

        browser.open(checkout.url)
        assert "LLC Formation" in look(browser, "stack-open")
        assert profile() == "PENDING"
        browser.click('button[value="pay"]')
        assert "Paid. Thank you!" in look(browser, "stack-paid")
        fleet.wait(lambda: profile() == "ACTIVE", "an active profile")
        dossier_id = fleet.one("select id from dossiers where user_id = %s", client.user_id)
        assert fleet.one("select dossier_id from orders where id = %s", client.order_id) == dossier_id
        fleet.wait(lambda: fleet.accepted(client.email) == 2, "the welcome and the receipt")

        browser.open(fleet.stack.addresses["sandbox"])
        browser.wait(lambda: browser.text().count(client.email) == 2)
        look(browser, "stack-mail")
        browser.open(f"{fleet.stack.addresses['sandbox']}/payments/{checkout.session_id}")
        browser.wait(lambda: "waiting" not in browser.text())
        page = look(browser, "stack-payment")
        assert str(client.order_id) in page
        assert "delivered" in page
        assert browser.complaints == []
        assert not [url for url in browser.requested if not url.startswith(("http://127.0.0.1:", "data:"))]
