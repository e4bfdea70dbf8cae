"""The operators' pages in a real, headless Chromium: what a person does there, with a mouse and without one.

The pictures are left in ``.fleet/ops/``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import Browser
from tests.notifications.pipeline import email, execute
from tests.workers.operators import FLOWER, NAME, PASSWORD, USER, Operator
from tests.workers.ops_desk import leaving, operator, published
from tests.workers.test_by_hand import failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

__all__ = ["leaving", "operator", "published"]  # fixtures

PICTURES = Path(__file__).parents[2] / ".fleet" / "ops"


@pytest.fixture
def refused(app: Application, client: Client, owner_url: str, clock: Clock) -> UUID:
    """A delivery whose only try was refused, and an hour of others around it."""
    delivery_id = failed(owner_url, email(app, client))
    execute(
        owner_url,
        "insert into fleet.attempts"
        " (delivery_id, number, channel, provider, opened_at, closed_at, outcome, code) values"
        f" ('{delivery_id}', 1, 'EMAIL', 'sendgrid', '{clock.now}', '{clock.now}', 'REFUSED', 'http_400')",
        "insert into fleet.attempts (delivery_id, number, channel, provider, opened_at, closed_at, outcome,"
        " provider_message_id)"
        " select gen_random_uuid(), 1, (array['EMAIL', 'SMS', 'WHATSAPP'])[1 + n % 3], 'x',"
        f" timestamptz '{clock.now}' - n * interval '20 s', now(), 'ACCEPTED', n::text"
        " from generate_series(1, 170) n",
        "insert into fleet.receipts (token, delivery_id, state, delivered_at)"
        " select token, delivery_id, 'DELIVERED', now() from fleet.attempts where outcome = 'ACCEPTED'"
        " and provider_message_id::int % 3 > 0",
    )
    return delivery_id


def sign_in(browser: Browser, operator: Operator) -> None:
    browser.open(f"{operator.caller.url}/ops")
    for field, value in (("user", USER), ("password", PASSWORD), ("name", NAME)):
        browser.run(f"document.querySelector('input[name={field}]').value = {json.dumps(value)};")
    browser.click("main button")
    assert browser.url().endswith("/ops/")


@pytest.fixture
def at_work(operator: Operator, tmp_path: Path) -> Iterator[Browser]:
    """Signed in on a wide screen; nothing was complained of at the end, and nothing asked for elsewhere."""
    with Browser(tmp_path, 1600) as browser:
        sign_in(browser, operator)
        yield browser
        assert_clean(browser, operator)


def assert_clean(browser: Browser, operator: Operator) -> None:
    assert browser.complaints == []
    assert {url for url in browser.requested if not url.startswith((operator.caller.url, "data:"))} == set()


def number(browser: Browser, selector: str) -> str:
    return str(
        browser.run(f"return document.querySelector({json.dumps(selector)})?.textContent.trim() ?? '';")
    )


def test_from_a_failure_to_its_story_and_a_retry(refused: UUID, at_work: Browser, operator: Operator) -> None:
    browser = at_work
    browser.wait(lambda: browser.run("return document.querySelectorAll('.uplot canvas').length;") == 3)
    browser.picture(PICTURES / "overview.png")
    assert not browser.is_too_wide()
    assert browser.run("return document.querySelector('nav a:last-child').href;") == FLOWER
    browser.wait(lambda: number(browser, "section table a[href*='code=http_400']"))
    browser.click("section table a[href*='code=http_400']")
    browser.picture(PICTURES / "tries.png")
    browser.click(f"a[href*='story/{refused}']")
    assert "refused for good" in browser.text()
    browser.picture(PICTURES / "story.png")
    browser.click("a[href*='do/retry']")
    assert "sent once more" in browser.text()
    browser.picture(PICTURES / "retry.png")
    browser.run("document.querySelector('input[name=why]').value = 'the template is mended';")
    browser.click("main form button")
    assert "due again" in browser.text()
    assert f"retry by {NAME}: the template is mended" in browser.text()
    assert operator.rows("select status::text from notification_deliveries") == [("PENDING",)]


def test_the_overview_changes_by_itself_and_says_when_it_is_old(
    refused: UUID, at_work: Browser, operator: Operator, app: Application, client: Client, clock: Clock
) -> None:
    browser = at_work
    assert str(refused) not in browser.text()
    assert number(browser, "#queue-email td") == "0"
    assert number(browser, "#parked") == "0"
    browser.run("document.querySelector('#queue-email a').focus(); window.kept = true;")
    email(app, client)
    operator.change("insert into fleet.outbox (event_id, parked_at) values (gen_random_uuid(), now())")
    browser.wait(lambda: number(browser, "#queue-email td") == "1", 10)
    browser.wait(lambda: number(browser, "#parked") == "1", 10)
    assert browser.run("return window.kept && document.activeElement.closest('tr').id;") == "queue-email"
    assert browser.run("return document.querySelector('#stale').hidden;")
    before = number(browser, "#taken")
    clock.forward(5)
    browser.wait(lambda: number(browser, "#taken") != before, 10)
    # As if nothing had been heard for long: the clock by which the page judges is moved on.
    browser.run("const now = performance.now.bind(performance); performance.now = () => now() + 3600000;"
                "window.fetch = () => Promise.reject(new Error('gone'));")  # fmt: skip
    browser.wait(lambda: not browser.run("return document.querySelector('#stale').hidden;"), 10)
    assert "old" in number(browser, "#stale") or "ancien" in number(browser, "#stale")
    browser.picture(PICTURES / "stale.png")


def test_a_channel_is_paused_and_resumed(at_work: Browser, operator: Operator) -> None:
    browser = at_work
    browser.click("#pause-SMS")
    browser.run("document.querySelector('input[name=why]').value = 'prices';")
    browser.picture(PICTURES / "pause.png")
    browser.click("main form button")
    browser.wait(lambda: number(browser, "#resume-SMS"), 10)
    assert number(browser, ".alarms").count("SMS") == 1
    assert [row.kind for row in operator.rows("select kind from fleet.channels")] == ["BY_HAND"]
    browser.click("#resume-SMS")
    assert f"{NAME}: prices" in browser.text()
    browser.run("document.querySelector('input[name=why]').value = 'paid';")
    browser.click("main form button")
    assert operator.rows("select kind from fleet.channels") == []
    done = operator.rows("select action, who, why from fleet.interventions order by at")
    assert [tuple(row) for row in done] == [("pause", NAME, "prices"), ("resume", NAME, "paid")]


def press(browser: Browser, key: str, text: str = "") -> None:
    codes = {"Tab": 9, "Enter": 13}
    told = {"key": key, "code": key, "windowsVirtualKeyCode": codes.get(key, 0)}
    browser._call("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
    browser._call("Input.dispatchKeyEvent", type="keyUp", **told)


def tab_to(browser: Browser, selector: str) -> None:
    """Go on with the tabulator until the focus is there, and can be seen there."""
    for _ in range(120):
        if browser.run(f"return document.activeElement.matches({json.dumps(selector)});"):
            style = "getComputedStyle(document.activeElement)"
            assert browser.run(f"return {style}.outlineStyle !== 'none' && {style}.outlineWidth !== '0px';")
            return
        press(browser, "Tab")
    raise AssertionError(f"no way to {selector} by the keyboard")


def enter(browser: Browser) -> None:
    browser._leave(lambda: press(browser, "Enter", "\r"))


def write(browser: Browser, words: str) -> None:
    browser._call("Input.insertText", text=words)


def test_everything_can_be_done_by_keyboard(operator: Operator, refused: UUID, tmp_path: Path) -> None:
    with Browser(tmp_path, 1280) as browser:
        # Without it nothing has the focus in a window that nobody looks at.
        browser._call("Emulation.setFocusEmulationEnabled", enabled=True)
        browser.open(f"{operator.caller.url}/ops")
        for field, value in (("user", USER), ("password", PASSWORD), ("name", NAME)):
            tab_to(browser, f"input[name={field}]")
            write(browser, value)
        enter(browser)
        assert browser.url().endswith("/ops/")
        press(browser, "Tab")
        assert browser.run("return document.activeElement.className;") == "skip"
        tab_to(browser, "nav a[href*='deliveries']")
        enter(browser)
        tab_to(browser, f"a[href*='story/{refused}']")
        enter(browser)
        tab_to(browser, "a[href*='do/retry']")
        enter(browser)
        tab_to(browser, "input[name=why]")
        write(browser, "by keyboard")
        tab_to(browser, "main form button")
        enter(browser)
        assert operator.rows("select who, why from fleet.interventions") == [(NAME, "by keyboard")]
        assert_clean(browser, operator)


PAGES = ("", "lists/tries", "lists/deliveries", "lists/queue?queue=email", "lists/findings", "schedule",
         "do/pause?channel=SMS", "lists/by-hand")  # fmt: skip


DRAWN = "return [...document.querySelectorAll('.chart')].every(box => box.querySelector('canvas'));"
"""True too on a page that has no charts."""


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    operator: Operator, refused: UUID, tmp_path: Path, width: int
) -> None:
    with Browser(tmp_path, width) as browser:
        sign_in(browser, operator)
        for path in (*PAGES, f"story/{refused}", f"do/retry?id={refused}"):
            browser.open(f"{operator.caller.url}/ops/{path}")
            assert not browser.is_too_wide(), path
            name = path.partition("?")[0].replace("/", "-").removesuffix(f"-{refused}") or "overview"
            browser.wait(lambda: browser.run(DRAWN))
            browser.picture(PICTURES / f"{name}.{width}.png")
        assert_clean(browser, operator)
