"""The checkout and the payments in a real, headless Chromium, clicked through as people would.

The pictures are left in ``.fleet/checkout/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import Browser
from tests.sandbox.checkouts import begin, stripe_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.checkouts import Begin
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["begin", "stripe_api"]  # fixtures

PICTURES = Path(__file__).parents[2] / ".fleet" / "checkout"
HOSTILE = "<script>fetch('/sandbox/api/stripe', {method: 'DELETE'})</script>" + "Unternehmensgründung" * 9


@pytest.fixture(params=[390, 1200], ids=["phone", "desktop"])
def browser(request: pytest.FixtureRequest, tmp_path: Path, sandbox: SandboxClient) -> Iterator[Browser]:
    """A tab that has nothing to complain of, and has asked nobody but the sandbox."""
    with Browser(tmp_path, request.param) as browser:
        yield browser
        assert browser.complaints == []
        own = (sandbox.base_url, other_name(sandbox), "data:")
        elsewhere = [url for url in browser.requested if not url.startswith(own)]
        assert elsewhere == []


def other_name(sandbox: SandboxClient) -> str:
    """The same server as another origin."""
    return sandbox.base_url.replace("127.0.0.1", "localhost")


def look(browser: Browser, name: str) -> str:
    """What can be read, once it is found to fit the screen and its picture was taken."""
    assert not browser.is_too_wide()
    width = browser.run("return innerWidth;")
    browser.picture(PICTURES / f"{name}.{width}.png")
    return browser.text()


def click(browser: Browser, button: str) -> None:
    browser.click(f'button[value="{button}"]')


def test_a_client_declines_leaves_and_pays(browser: Browser, sandbox: SandboxClient, begin: Begin) -> None:
    session = begin(customer_email="camille@example.com")
    assert session.url
    browser.open(session.url)
    assert "Pay $999.00" in look(browser, "open")
    click(browser, "decline")
    assert "Your card was declined. Try again." in look(browser, "declined")
    click(browser, "close")
    assert "Nothing was paid" in look(browser, "left")
    browser.click(".button.plain")
    click(browser, "pay")
    assert browser.url() == session.url
    assert "Paid. Thank you!" in look(browser, "paid")
    assert [each.payment_status for each in sandbox.stripe_sessions()] == ["paid"]


def test_a_client_comes_back_to_a_shop_that_runs(
    browser: Browser, sandbox: SandboxClient, begin: Begin
) -> None:
    shop = f"{other_name(sandbox)}/phones"
    session = begin(success_url=f"{shop}?paid={{CHECKOUT_SESSION_ID}}", cancel_url=f"{shop}?left=1")
    assert session.url
    for button, place in (("close", "?left=1"), ("pay", f"?paid={session.id}")):
        browser.open(session.url)
        click(browser, button)
        assert browser.url() == shop + place


def test_a_hostile_name_is_shown_and_fits(browser: Browser, sandbox: SandboxClient, begin: Begin) -> None:
    session = begin(HOSTILE, customer_email=f"{'camille' * 9}@example.com")
    assert session.url
    browser.open(session.url)
    assert HOSTILE in look(browser, "hostile")
    browser.open(f"{sandbox.base_url}/payments/{session.id}")
    assert HOSTILE in look(browser, "hostile-payment")
    browser.open(f"{sandbox.base_url}/payments")
    look(browser, "hostile-payments")
    assert len(sandbox.stripe_sessions()) == 1


def test_the_shop_follows_a_payment_and_gives_it_back(
    browser: Browser, sandbox: SandboxClient, begin: Begin
) -> None:
    session = begin(customer_email="camille@example.com", metadata={"order_id": "exemple"})
    browser.open(sandbox.base_url)
    browser.click('.places a[href="/payments"]')
    browser.click(f'a[href="/payments/{session.id}"]')
    assert "open" in browser.text()
    sandbox.pay_later(session.id)
    browser.wait(lambda: "settling" in browser.text())
    click(browser, "settle")
    assert "paid" in look(browser, "payment")
    browser.run("document.querySelector('input[name=amount]').focus();")
    browser.run("document.activeElement.value = 900;")
    click(browser, "part")
    assert "partly refunded" in browser.text()
    click(browser, "dispute")
    assert "disputed" in look(browser, "disputed")
    click(browser, "won")
    click(browser, "refund")
    assert "refunded" in browser.text()
    click(browser, "lose-next")
    assert browser.run("return document.querySelector('button.on').value;") == "lose-next"
    browser.open(f"{sandbox.base_url}/payments")
    look(browser, "payments")
