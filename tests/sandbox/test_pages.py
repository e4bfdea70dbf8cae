"""The mail page, above all that a hostile e-mail cannot act from it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable

    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    from workers.dev.sandbox.client import SandboxClient

HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"


class Elements(HTMLParser):
    """The elements that a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def get(sandbox: SandboxClient, path: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", sandbox.base_url + path, retries=False)


def test_the_list_shows_what_was_sent_newest_first(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    assert "Nothing sent yet" in get(sandbox, "/").data.decode()
    sendgrid.send(mail(to="marie@example.com", subject="First"))
    sendgrid.send(mail(to="paul@example.com", subject="Second"))
    page = get(sandbox, "/").data.decode()
    assert page.index("paul@example.com") < page.index("marie@example.com")
    assert page.index("Second") < page.index("First")


def test_an_email_is_shown_whole(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    sent = sendgrid.send(mail(html="<p>Bonjour <b>Marie</b></p>"))
    page = get(sandbox, f"/messages/{sent.headers['X-Message-Id']}").data.decode()
    [frame] = Elements(page).of("iframe")
    assert frame["srcdoc"] == "<p>Bonjour <b>Marie</b></p>"
    assert sent.headers["X-Message-Id"] in page
    assert get(sandbox, "/messages/none").status == 404


def test_a_hostile_email_stays_text_outside_its_sandboxed_frame(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    sent = sendgrid.send(mail(subject=HOSTILE, html=HOSTILE, token=HOSTILE))
    for path in ("/", "/list", f"/messages/{sent.headers['X-Message-Id']}"):
        answer = get(sandbox, path)
        elements = Elements(answer.data.decode())
        assert all(set(script) == {"src", "defer"} for script in elements.of("script"))
        assert elements.of("img") == []
        for frame in elements.of("iframe"):
            assert frame["sandbox"] == ""
            assert frame["srcdoc"] == HOSTILE
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy


def test_the_live_update_asks_for_changes_only(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    sendgrid.send(mail())
    [counter] = [
        attributes
        for attributes in Elements(get(sandbox, "/list").data.decode()).of("div")
        if "data-version" in attributes
    ]
    seen = counter["data-version"]
    assert get(sandbox, f"/list?seen={seen}").status == 204
    sandbox.hold_webhooks()
    assert "callbacks held" in get(sandbox, f"/list?seen={seen}").data.decode()


def test_the_page_brings_its_own_style_and_script(sandbox: SandboxClient) -> None:
    page = Elements(get(sandbox, "/").data.decode())
    paths = [script["src"] for script in page.of("script")] + [
        link["href"] for link in page.of("link") if link["rel"] == "stylesheet"
    ]
    for path in paths:
        assert path is not None
        answer = get(sandbox, path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(("text/javascript", "text/css"))
    assert get(sandbox, "/assets/other").status == 404
