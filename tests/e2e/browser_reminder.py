"""A reminder in a real Chromium: the link in the mail clicked, Pay pressed, the client welcomed back.

The pictures are left in ``.fleet/checkout/``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.browser import Browser
from tests.e2e.browser_pay import whole_fleet
from tests.sandbox.browser_checkout import look
from workers.dev.shop import Shop
from workers.dev.story import Story

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Fleet

__all__ = ["whole_fleet"]  # a fixture


def test_a_reminder_brings_a_client_back(whole_fleet: Fleet, tmp_path: Path) -> None:
    fleet = whole_fleet
    fleet.wait_reachable()
    public_url = fleet.stack.environment["PUBLIC_URL"]
    with Shop(fleet.owner_url, fleet.stack.environment) as shop, Browser(tmp_path, 390) as browser:
        story = Story(shop, fleet.sandbox, public_url)
        client = story.be_refused()
        story.wait_for_days(client)
        fleet.fleet("run", "send-reminders")
        fleet.wait(lambda: story.mails(client, "REMINDER"), "a reminder")

        [mail] = story.mails(client, "REMINDER")
        browser.open(f"{fleet.stack.addresses['sandbox']}/messages/{mail.id}")
        assert "vous attend" in look(browser, "reminder-mail")
        words = browser.run("return document.querySelector('iframe').srcdoc;")
        # There, no link of a mail leads anywhere; in a reader, it does.
        browser.open("about:blank")
        browser.run(f"document.body.innerHTML = {json.dumps(words)};")
        browser.click(f'a[href^="{public_url}/r/"]')
        assert "LLC Formation" in look(browser, "reminder-link")
        browser.click("form button")
        assert browser.url().startswith(f"{fleet.stack.addresses['sandbox']}/checkout/")
        browser.click('button[value="pay"]')
        assert "Paid. Thank you!" in look(browser, "reminder-paid")

        fleet.wait(lambda: story.mails(client, "WELCOME_BACK"), "a welcome to who comes back")
        fleet.wait_settled()
        told = [each.categories[0] for each in fleet.messages(client.email)]
        assert sorted(told) == ["PAYMENT_FAILED", "PAYMENT_RECEIVED", "REMINDER", "WELCOME_BACK"]
        [told_of] = json.loads(fleet.fleet("reminders", "--json"))[:1]
        assert (told_of["sent"], told_of["clicked"], told_of["paid"]) == (1, 1, 1)
        assert told_of["recovered"] == {"USD": 99900}
        assert browser.complaints == []
