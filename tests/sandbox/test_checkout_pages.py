"""The checkout page: what a client sees, where each button leads, and that nothing hostile acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.checkouts import NOBODY, begin, post_form, stripe_api
from tests.sandbox.test_pages import HOSTILE, Elements, get

if TYPE_CHECKING:
    import stripe

    from tests.sandbox.checkouts import Begin
    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["begin", "stripe_api"]  # fixtures


def path_of(session: stripe.checkout.Session) -> str:
    return f"/checkout/{session.id}"


def text(sandbox: SandboxClient, session: stripe.checkout.Session, query: str = "") -> str:
    return get(sandbox, path_of(session) + query).data.decode()


def status(api: stripe.StripeClient, session: stripe.checkout.Session) -> tuple[str | None, str]:
    now = api.v1.checkout.sessions.retrieve(session.id)
    return now.status, now.payment_status


def test_the_page_names_seller_product_amount_and_client(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin("LLC Formation", 99_900, "usd", customer_email="camille@example.com")
    assert session.url == f"{sandbox.base_url}{path_of(session)}"
    page = text(sandbox, session)
    for told in ("Partners VRAI", "LLC Formation", "camille@example.com", "$999.00"):
        assert told in page
    buttons = [button["value"] for button in Elements(page).of("button")]
    assert buttons == ["pay", "later", "decline", "close"]


def test_amounts_have_as_many_decimals_as_their_currency(sandbox: SandboxClient, begin: Begin) -> None:
    for amount, currency, shown in (
        (1_234, "eur", "€12.34"),
        (1_234, "jpy", "¥1,234"),
        (1_500, "kwd", "1.500"),
    ):
        assert f"{shown}</p>" in text(sandbox, begin("LLC Formation", amount, currency))


@pytest.mark.parametrize(
    ("button", "end", "told"),
    [
        ("pay", ("complete", "paid"), "Paid. Thank you!"),
        ("later", ("complete", "unpaid"), "Your bank has been asked"),
        ("decline", ("open", "unpaid"), "Your card was declined. Try again."),
        ("close", ("open", "unpaid"), "Nothing was paid"),
    ],
)
def test_a_button_does_what_it_says_and_tells_of_it_where_no_shop_runs(
    sandbox: SandboxClient,
    begin: Begin,
    stripe_api: stripe.StripeClient,
    button: str,
    end: tuple[str, str],
    told: str,
) -> None:
    session = begin()
    assert session.url
    done = post_form(session.url, do=button)
    query = "?left=1" if button == "close" else ""
    assert (done.status, done.headers["Location"]) == (303, path_of(session) + query)
    assert status(stripe_api, session) == end
    page = text(sandbox, session, query)
    assert told in page
    links = [link["href"] for link in Elements(page).of("a")]
    back = {
        "pay": f"{NOBODY}/paid?session_id={session.id}",
        "later": f"{NOBODY}/paid?session_id={session.id}",
        "close": f"{NOBODY}/left",
    }
    assert back.get(button) in {None, *links}


def test_a_client_is_led_back_to_a_shop_that_runs_here(
    sandbox: SandboxClient, begin: Begin, ingress: Ingress
) -> None:
    for button, place in (("close", "/left"), ("pay", "/paid?session_id=")):
        session = begin(app=ingress.base)
        assert session.url
        done = post_form(session.url, do=button)
        assert done.status == 303
        assert done.headers["Location"].startswith(f"{ingress.base}{place}")
        # Else a browser would stop the form on its way there.
        policy = get(sandbox, path_of(session)).headers["Content-Security-Policy"]
        assert f"form-action 'self' {ingress.base};" in policy


def test_what_came_of_a_bank_debit_is_shown(
    sandbox: SandboxClient, begin: Begin, stripe_api: stripe.StripeClient
) -> None:
    good, bad = begin(), begin()
    for session, succeeded, told in ((good, True, "Paid."), (bad, False, "The payment failed")):
        sandbox.pay_later(session.id)
        sandbox.finish_async(session.id, succeeded=succeeded)
        page = text(sandbox, session)
        assert told in page
        assert Elements(page).of("button") == []
    assert status(stripe_api, good) == ("complete", "paid")
    assert status(stripe_api, bad) == ("complete", "unpaid")


def test_a_page_is_paid_on_once_and_an_expired_one_never(
    sandbox: SandboxClient, begin: Begin, stripe_api: stripe.StripeClient
) -> None:
    paid, expired = begin(), begin()
    sandbox.pay(paid.id)
    stripe_api.v1.checkout.sessions.expire(expired.id)
    for session in (paid, expired):
        before = status(stripe_api, session)
        for button in ("pay", "later", "decline", "close"):
            refused = post_form(f"{sandbox.base_url}{path_of(session)}", do=button)
            assert refused.status == 400
            assert 'role="alert"' in refused.data.decode()
        assert status(stripe_api, session) == before
    assert "This page has expired" in text(sandbox, expired)
    assert get(sandbox, "/checkout/cs_test_unknown").status == 404
    assert post_form(f"{sandbox.base_url}/checkout/cs_test_unknown", do="pay").status == 404


def test_no_other_site_pays(begin: Begin, stripe_api: stripe.StripeClient) -> None:
    session = begin()
    assert session.url
    for site in ("cross-site", "same-site"):
        assert post_form(session.url, site, do="pay").status == 403
    assert post_form(session.url, do="steal").status == 400
    assert post_form(session.url).status == 400
    assert status(stripe_api, session) == ("open", "unpaid")


def test_a_hostile_session_stays_text_and_leads_nowhere_else(sandbox: SandboxClient, begin: Begin) -> None:
    session = begin(HOSTILE, metadata={"order_id": HOSTILE}, app="http://127.0.0.1:99999;script-src")
    assert session.url
    sandbox.pay(session.id)
    reply = get(sandbox, path_of(session))
    elements = Elements(reply.data.decode())
    assert elements.of("script") == elements.of("img") == []
    assert "alert(1)" in reply.data.decode()
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "form-action 'self';" in policy
