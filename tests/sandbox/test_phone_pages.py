"""The phone page: what a person sees, that an answer goes out, and that nothing hostile acts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import urllib3

from tests.sandbox.conftest import OURS
from tests.sandbox.test_pages import HOSTILE, Elements, get

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

    Send = Callable[..., Any]
    WaitFor = Callable[..., Any]

PHONE = "+33639981234"
PATH = f"/phones/{PHONE}"


@pytest.fixture
def settings(settings: SandboxSettings, ingress: Ingress) -> SandboxSettings:
    return dataclasses.replace(settings, inbound_url=f"{ingress.base}/webhooks/twilio/inbound")


def text(sandbox: SandboxClient, path: str) -> str:
    return get(sandbox, path).data.decode()


def answer(sandbox: SandboxClient, fields: dict[str, str], **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "POST",
        sandbox.base_url + PATH,
        body=urlencode(fields),
        headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
        redirect=False,
        retries=False,
    )


def test_phones_are_listed_with_their_newest_message(sandbox: SandboxClient, send: Send) -> None:
    assert "Nobody written to yet" in text(sandbox, "/phones")
    send(PHONE, "Premier")
    send("+33639985678", "Second")
    send(PHONE, "Troisième")
    page = text(sandbox, "/phones")
    assert page.index(PHONE) < page.index("+33639985678")
    assert "Troisième" in page
    assert "Premier" not in page


def test_a_conversation_shows_channels_states_and_codes(
    sandbox: SandboxClient, send: Send, wait_for: WaitFor
) -> None:
    sandbox.behave(PHONE, "fail", code=63024, channel="whatsapp", count=1)
    send(PHONE, "Refusé", whatsapp=True)
    send(PHONE, "Repris par SMS")
    send(PHONE, "Lu", whatsapp=True)
    wait_for(lambda: [m.status for m in sandbox.phone_messages()] == ["undelivered", "delivered", "read"])
    page = text(sandbox, PATH)
    assert "undelivered 63024" in page
    bubbles = [div["class"] or "" for div in Elements(page).of("div") if "bubble" in (div.get("class") or "")]
    assert [bubble.split()[1:] for bubble in bubbles] == [
        ["whatsapp", "theirs", "lost"],
        ["sms", "theirs"],
        ["whatsapp", "theirs"],
    ]
    assert "tick delivered" in page
    assert "tick read" in page
    assert get(sandbox, "/phones/+33639980009").status == 404


def test_an_answer_from_the_page_reaches_the_ingress(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    send(PHONE, "Bonjour", whatsapp=True)
    send(PHONE, "Bonjour")
    done = answer(sandbox, {"channel": "whatsapp", "body": "Merci"})
    assert (done.status, done.headers["Location"]) == (303, "/phones/%2B33639981234")
    answer(sandbox, {"channel": "sms", "body": "", "word": "STOP"})
    wait_for(lambda: len(ingress.heard) == 2)
    assert {(form["Body"], form["From"], form["To"]) for form in ingress.forms()} == {
        ("Merci", f"whatsapp:{PHONE}", f"whatsapp:{OURS}"),
        ("STOP", PHONE, OURS),
    }
    page = text(sandbox, PATH)
    assert "no SMS wanted" in page
    assert "Merci" in page


@pytest.mark.parametrize("fields", [{}, {"body": ""}, {"body": "a" * 1601}, {"body": "a", "channel": "fax"}])
def test_an_answer_that_cannot_go_is_refused(
    sandbox: SandboxClient, send: Send, fields: dict[str, str]
) -> None:
    send(PHONE)
    assert answer(sandbox, fields).status == 400
    assert sandbox.phone_messages(inbound=True) == []


def test_no_other_site_makes_a_phone_answer(sandbox: SandboxClient, send: Send) -> None:
    send(PHONE)
    for site in ("cross-site", "same-site"):
        assert answer(sandbox, {"body": "STOP"}, **{"Sec-Fetch-Site": site}).status == 403
    assert answer(sandbox, {"body": "STOP"}, **{"Sec-Fetch-Site": "same-origin"}).status == 303


def test_hostile_messages_stay_text(sandbox: SandboxClient, send: Send) -> None:
    send(PHONE, HOSTILE, whatsapp=True)
    send(
        PHONE,
        body=None,
        whatsapp=True,
        content_sid=f"HX{'a' * 32}",
        content_variables='{"<b>": "<img src=x>"}',
    )
    sandbox.reply(PHONE, HOSTILE)
    for path in (PATH, "/phones/list", f"/phones/thread?number=%2B{PHONE[1:]}", "/phones/%3Cimg%20src=x%3E"):
        reply = get(sandbox, path)
        elements = Elements(reply.data.decode())
        assert all(set(script) == {"src", "defer"} for script in elements.of("script"))
        assert elements.of("img") == elements.of("b") == []
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'; style-src 'self';" in policy
        assert "form-action 'self'" in policy


def test_the_live_update_asks_for_changes_only(sandbox: SandboxClient, send: Send, wait_for: WaitFor) -> None:
    send(PHONE)
    wait_for(lambda: sandbox.phone_messages()[0].status == "delivered")
    for path in ("/phones/list?open=", f"/phones/thread?number=%2B{PHONE[1:]}"):
        [counter] = [e for e in Elements(text(sandbox, path)).of("div") if "data-version" in e]
        seen = counter["data-version"]
        assert get(sandbox, f"{path}&seen={seen}").status == 204
        sandbox.hold_webhooks()
        assert get(sandbox, f"{path}&seen={seen}").status == 200
        sandbox.release_webhooks()
