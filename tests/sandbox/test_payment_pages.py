"""The shop's side of the payments: what its people see, do, and let go wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.checkouts import begin, post_form, stripe_api
from tests.sandbox.test_pages import HOSTILE, Elements, get

if TYPE_CHECKING:
    from collections.abc import Callable

    import stripe

    from tests.sandbox.checkouts import Begin
    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

    WaitFor = Callable[..., Any]

__all__ = ["begin", "stripe_api"]  # fixtures


@pytest.fixture
def settings(settings: SandboxSettings, ingress: Ingress) -> SandboxSettings:
    return dataclasses.replace(settings, stripe_webhook_url=f"{ingress.base}/webhooks/stripe")


def text(sandbox: SandboxClient, path: str) -> str:
    return get(sandbox, path).data.decode()


def press(sandbox: SandboxClient, session: stripe.checkout.Session, do: str, **more: Any) -> None:
    path = f"/payments/{session.id}"
    done = post_form(sandbox.base_url + path, do=do, **more)
    assert (done.status, done.headers["Location"]) == (303, path), done.data


def switch(sandbox: SandboxClient, **fields: str) -> None:
    done = post_form(f"{sandbox.base_url}/payments/webhooks", **fields)
    assert (done.status, done.headers["Location"]) == (303, "/payments"), done.data


def buttons(page: str) -> set[str | None]:
    webhooks = ("lose", "double", "late", "hold", "release", "usual")
    found = {button.get("value") for button in Elements(page).of("button") if button["name"] == "do"}
    return {each for each in found if each and not each.startswith(webhooks)}


def state(sandbox: SandboxClient, session: stripe.checkout.Session) -> str:
    """What the pill says on the payment's own page; the list must say the same."""
    own = text(sandbox, f"/payments/{session.id}").split('<span class="pill ')[1].split(">")[1].split("<")[0]
    listed = text(sandbox, "/payments/list").split(session.id)[1]
    assert f">{own}</span>" in listed.split("</a>")[0]
    return own


def test_payments_are_listed_newest_first(sandbox: SandboxClient, begin: Begin) -> None:
    assert "Nothing to pay yet" in text(sandbox, "/payments")
    begin("LLC Formation", 99_900)
    begin("Dubai Business Setup", 120_000, "jpy", customer_email="camille@example.com")
    page = text(sandbox, "/payments")
    assert page.index("Dubai Business Setup") < page.index("LLC Formation")
    for told in ("¥120,000", "$999.00", "camille@example.com", "<strong>2</strong> Checkout Sessions"):
        assert told in page
    assert 'href="/payments"' in text(sandbox, "/")
    assert 'href="/"' in page


def test_each_state_has_its_name_and_its_buttons(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin()
    assert state(sandbox, session) == "open"
    assert f'href="/checkout/{session.id}"' in text(sandbox, f"/payments/{session.id}")
    sandbox.decline(session.id)
    assert state(sandbox, session) == "card declined"
    sandbox.pay_later(session.id)
    assert state(sandbox, session) == "settling"
    assert buttons(text(sandbox, f"/payments/{session.id}")) == {"settle", "fail"}
    press(sandbox, session, "settle")
    assert state(sandbox, session) == "paid"
    assert buttons(text(sandbox, f"/payments/{session.id}")) == {"refund", "part", "dispute"}
    press(sandbox, session, "part", amount=900)
    assert state(sandbox, session) == "partly refunded"
    assert "Refund $990.00" in text(sandbox, f"/payments/{session.id}")
    press(sandbox, session, "dispute")
    assert state(sandbox, session) == "disputed"
    press(sandbox, session, "won")
    assert state(sandbox, session) == "partly refunded"
    press(sandbox, session, "refund")
    assert state(sandbox, session) == "refunded"
    assert buttons(text(sandbox, f"/payments/{session.id}")) == set()


def test_what_ends_without_money_says_so(sandbox: SandboxClient, begin: Begin) -> None:
    expired, failed, lost, free = begin(), begin(), begin(), begin(amount=0)
    press(sandbox, expired, "expire")
    sandbox.pay_later(failed.id)
    press(sandbox, failed, "fail")
    sandbox.pay(lost.id)
    press(sandbox, lost, "dispute")
    press(sandbox, lost, "lost")
    sandbox.pay(free.id)
    states = [state(sandbox, each) for each in (expired, failed, lost, free)]
    assert states == ["expired", "payment failed", "dispute lost", "nothing to pay"]


def test_what_cannot_be_done_is_refused(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin()
    nothing_was_paid: list[dict[str, str]] = [{"do": "refund"}, {"do": "won"}, {"do": "settle"}]
    for fields in [*nothing_was_paid, {"do": "part"}, {"do": "part", "amount": "-5"}, {"do": "steal"}, {}]:
        assert post_form(f"{sandbox.base_url}/payments/{session.id}", **fields).status == 400
    assert state(sandbox, session) == "open"


def test_a_refund_of_too_much_is_refused(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin()
    sandbox.pay(session.id)
    for amount in (99_901, 10**30):
        refused = post_form(f"{sandbox.base_url}/payments/{session.id}", do="part", amount=amount)
        assert refused.status == 400
    assert state(sandbox, session) == "paid"


def test_webhooks_are_lost_doubled_held_and_sent_again(
    sandbox: SandboxClient, begin: Begin, ingress: Ingress, wait_for: WaitFor
) -> None:
    session = begin()
    switch(sandbox, do="lose-all")
    sandbox.pay(session.id)
    events = sandbox.stripe_events(subject=session.id)
    assert {event.delivery for event in sandbox.stripe_events()} == {"abandoned"}
    assert ">lost</span>" in text(sandbox, f"/payments/{session.id}")
    switch(sandbox, resend=events[0].id)
    wait_for(lambda: sandbox.stripe_events(subject=session.id)[0].delivery == "delivered")
    assert [json.loads(body)["id"] for _, body in ingress.heard] == [events[0].id]

    switch(sandbox, do="usual")
    switch(sandbox, do="double-next")
    assert "Send the next twice" in text(sandbox, "/payments")
    other = begin()
    sandbox.expire_session(other.id)
    wait_for(lambda: len(ingress.heard) == 3)
    told = [json.loads(body)["type"] for _, body in ingress.heard[1:]]
    assert told == ["checkout.session.expired"] * 2

    switch(sandbox, do="hold")
    assert sandbox.settings().webhooks is False
    assert "Let go what is held" in text(sandbox, "/payments")
    switch(sandbox, do="release")
    assert sandbox.settings().webhooks is True


def test_what_was_asked_for_again_adds_up_and_ends(sandbox: SandboxClient) -> None:
    switch(sandbox, do="lose-next")
    switch(sandbox, do="lose-next")
    switch(sandbox, do="late-all")
    page = text(sandbox, "/payments")
    on = {b["value"] for b in Elements(page).of("button") if b.get("aria-pressed") == "true"}
    assert on == {"lose-next", "late-all"}
    assert "Lose the next 2" in page
    switch(sandbox, do="usual")
    assert 'aria-pressed="true"' not in text(sandbox, "/payments")
    for fields in ({"do": "lose-none"}, {"do": ""}, {}, {"resend": "evt_unknown"}):
        assert post_form(f"{sandbox.base_url}/payments/webhooks", **fields).status == 400


def test_a_payments_page_shows_its_own_events_only(sandbox: SandboxClient, begin: Begin) -> None:
    mine, other = begin(), begin()
    sandbox.pay(mine.id)
    sandbox.expire_session(other.id)
    page = text(sandbox, f"/payments/{mine.id}")
    assert "checkout.session.completed" in page
    assert "payment_intent.succeeded" in page
    assert "checkout.session.expired" not in page
    assert "charge" not in text(sandbox, f"/payments/events?of={other.id}")
    assert get(sandbox, "/payments/cs_test_unknown").status == 404
    assert get(sandbox, "/payments/cs_test_unknown/state").status == 404


def test_no_other_site_acts(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin()
    for site in ("cross-site", "same-site"):
        for path in (f"/payments/{session.id}", "/payments/webhooks"):
            assert post_form(sandbox.base_url + path, site, do="expire").status == 403
    assert state(sandbox, session) == "open"


def test_hostile_words_stay_text(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin(HOSTILE, metadata={"order_id": HOSTILE, "<b>": HOSTILE})
    sandbox.pay(session.id)
    for path in (
        "/payments",
        "/payments/list",
        f"/payments/{session.id}",
        f"/payments/{session.id}/state",
        "/payments/events?of=%3Cimg%20src=x%3E",
    ):
        reply = get(sandbox, path)
        elements = Elements(reply.data.decode())
        assert all(set(script) == {"src", "defer"} for script in elements.of("script"))
        assert elements.of("img") == elements.of("b") == []
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "form-action 'self'" in policy


def test_the_live_update_asks_for_changes_only(
    sandbox: SandboxClient, begin: Begin, wait_for: WaitFor
) -> None:
    session = begin()
    sandbox.pay(session.id)
    wait_for(lambda: {each.delivery for each in sandbox.stripe_events()} == {"delivered"})
    for path in ("/payments/list?", f"/payments/{session.id}/state?", f"/payments/events?of={session.id}"):
        page = Elements(text(sandbox, path))
        [seen] = [e["data-version"] for _, e in page.found if "data-version" in e]
        assert get(sandbox, f"{path}&seen={seen}").status == 204
        switch(sandbox, do="lose-next")
        assert get(sandbox, f"{path}&seen={seen}").status == 200
        switch(sandbox, do="usual")
