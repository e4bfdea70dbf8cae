"""The link in a reminder, over real HTTP and the sandbox's Stripe: opened, pressed, and led to be paid."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from db.queries.interventions import By
from providers.payments import NewCheckout
from providers.stripe import StripePayments
from providers.transport import PooledTransport
from services.notifications.erasure import Eraser
from services.notifications.links import Links
from services.payments.asking import Cashier
from services.payments.checkouts import Checkouts
from services.payments.following import Following
from tests.notifications.pipeline import side_by_side
from tests.notifications.reading import Page
from tests.sandbox.conftest import API_KEY
from tests.sandbox.conftest import serving as serving_sandbox
from tests.workers.ingress_server import PUBLIC_URL, serving
from workers.dev.sandbox.state import USUAL_STRIPE_KEY, SandboxSettings
from workers.dev.shop import Shop
from workers.ingress.reminder_page import ReminderPage, origin

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import urllib3
    from sqlalchemy.orm import Session

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller
    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient

APP_URL = "https://app.example.com"
EMAIL, NAME = "camille@example.com", "Camille Exemple"
PRESSED = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def stripe(leaving: list[threading.Thread]) -> Iterator[SandboxClient]:
    with serving_sandbox(SandboxSettings(api_key=API_KEY), leaving) as client:
        yield client


@pytest.fixture
def payments(stripe: SandboxClient) -> Iterator[StripePayments]:
    stripe.clear_stripe()
    stripe.clear_faults()
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=8)
    yield StripePayments(USUAL_STRIPE_KEY, stripe.base_url, lines, lambda: None)
    lines.close()


@dataclass
class Desk:
    """A client with a reminder in hand, and what the tables say.

    Attributes:
        caller: A browser of theirs.
        shop: The platform.
        stripe: The sandbox.
        payments: The fleet's way to it.
        application: As the owner.
        sessions: As the fleet's role.
        clock: The fleet's time.
        page: What is served.
    """

    caller: Caller
    shop: Shop
    stripe: SandboxClient
    payments: StripePayments
    application: sessionmaker[Session]
    sessions: sessionmaker[Session]
    clock: Clock
    page: ReminderPage

    def client(self) -> Client:
        return self.shop.register(f"{uuid4().hex}@example.com", NAME)

    def remind(self, client: Client, number: int = 1, **columns: object) -> str:
        """A reminder that was sent just now, by e-mail and SMS; the path of its link."""
        values = {"state": "SENT", "token": secrets.token_urlsafe(16), "at": self.clock.now, **columns}
        values |= {"number": number, "order": client.order_id, "user": client.user_id}
        self.change(
            "insert into fleet.reminders"
            " (order_id, number, user_id, claimed_at, due_at, state, token, amount, currency, sent_at)"
            " values (:order, :number, :user, :at, :at, :state, :token, 99900, 'USD', :at)",
            **values,
        )
        for channel in ("EMAIL", "SMS"):
            self.change(
                "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
                " values (:user, :order, cast(:channel as notification_channel), :told_at)",
                channel=channel,
                told_at=self.clock.now + timedelta(seconds=2),
                **values,
            )
        return f"/r/{values['token']}"

    def press(self, path: str, headers: dict[str, str] = PRESSED) -> urllib3.BaseHTTPResponse:
        return self.caller.post(path, b"", headers)

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def order(self, client: Client) -> Any:
        (row,) = self.rows("select *, status::text as said from orders where id = :id", id=client.order_id)
        return row

    def clicks(self) -> list[tuple[int, datetime | None]]:
        found = self.rows("select number, clicked_at from fleet.reminders order by number")
        return [(row.number, row.clicked_at) for row in found]

    def told(self) -> list[datetime | None]:
        """When the rows of the platform's were clicked, by when they were sent."""
        found = self.rows("select clicked_at from payment_reminders order by sent_at, sent_via::text")
        return [row.clicked_at for row in found]

    def untouched(self) -> bool:
        noted = [at for _, at in self.clicks() if at] + [at for at in self.told() if at]
        return not noted and not self.rows("select from fleet.reminder_sessions")

    def checkout(self, client: Client) -> str:
        """The path of the order's current checkout."""
        return f"{self.stripe.base_url}/checkout/{self.order(client).stripe_checkout_session_id}"


@pytest.fixture
def desk(
    stripe: SandboxClient,
    payments: StripePayments,
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    owner_url: str,
    clock: Clock,
    leaving: list[threading.Thread],
) -> Iterator[Desk]:
    checkouts = Checkouts(
        sessions=sessions,
        cashier=Cashier(sessions, payments, clock),
        maker=payments,
        clock=clock,
        app_url=APP_URL,
    )
    page = ReminderPage(
        Following(sessions, checkouts, clock), "fr", APP_URL, PUBLIC_URL, [origin(stripe.base_url)]
    )
    environment = {
        "APP_URL": APP_URL,
        "STRIPE_SECRET_KEY": USUAL_STRIPE_KEY,
        "STRIPE_BASE_URL": stripe.base_url,
    }
    with (
        Shop(owner_url, environment) as shop,
        serving(sessions, clock, leaving, page.routes()) as caller,
    ):
        yield Desk(caller, shop, stripe, payments, application, sessions, clock, page)


def test_opening_the_link_tells_what_is_to_be_paid_and_changes_nothing(desk: Desk) -> None:
    path = desk.remind(desk.client())
    calls = desk.stripe.stripe_calls()
    for headers in (
        {},
        {"Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"X-Moz": "prefetch"},
    ):
        assert desk.caller.ask(path, headers=headers).status == 200
    assert (desk.caller.ask(path, "HEAD").status, desk.caller.ask(path, "HEAD").data) == (200, b"")
    assert desk.caller.ask(path, "PUT").status == 405
    assert desk.untouched()
    assert desk.stripe.stripe_calls() == calls

    answer = desk.caller.ask(path)
    page = answer.data.decode()
    assert "999,00 $US à régler pour « LLC Formation »" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert Page(page.removeprefix("<!doctype html>")).problems == []
    assert (page.count("<form"), page.count("<button"), "script" in page) == (1, 1, False)
    assert NAME not in page
    assert "@example.com" not in page
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    # A browser holds the redirect after a form to this as well.
    assert f"form-action 'self' {desk.stripe.base_url} {APP_URL};" in policy
    assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_pressing_the_button_leads_to_the_orders_checkout_and_is_noted_once(desk: Desk) -> None:
    client = desk.client()
    checkout = desk.shop.checkout(client)
    path = desk.remind(client)
    first = desk.clock.now
    answer = desk.press(path)
    assert (answer.status, answer.headers["Location"]) == (303, checkout.url)
    assert "no-store" in answer.headers["Cache-Control"]
    assert (desk.clicks(), desk.told()) == ([(1, first)], [first, first])
    desk.clock.forward(60)
    desk.change(
        "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
        " values (:user, :order, 'WHATSAPP', :at)",
        user=client.user_id,
        order=client.order_id,
        at=desk.clock.now,
    )
    desk.press(path)
    assert desk.clicks() == [(1, first)]
    assert desk.told() == [first, first, desk.clock.now], "a channel that was used since"
    assert desk.rows("select from fleet.reminder_sessions") == []
    assert len(desk.stripe.stripe_sessions()) == 1


def test_a_click_counts_for_its_own_reminder(desk: Desk) -> None:
    client = desk.client()
    desk.shop.checkout(client)
    desk.change(
        "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
        " values (:user, :order, 'SMS', :at)",
        user=client.user_id,
        order=client.order_id,
        at=desk.clock.now - timedelta(days=3),
    )  # the application's own
    links = []
    for number in (1, 2):
        links.append(desk.remind(client, number))
        desk.clock.forward(3600)
    desk.remind(client, 3, state="SKIPPED")
    desk.press(links[0])
    assert [number for number, at in desk.clicks() if at] == [1]
    assert [at is not None for at in desk.told()[:5]] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("ended", "closed"),
    [
        ("none", []),
        ("expired", ["expired"]),
        ("nearly over", ["expired", "expired"]),
        ("of another account", []),
    ],
)
def test_a_checkout_that_has_ended_gives_way_to_a_fresh_one(
    desk: Desk, ended: str, closed: list[str]
) -> None:
    client = desk.client()
    path = desk.remind(client, 7)
    if ended != "none":
        desk.shop.checkout(client)
    if ended == "expired":
        desk.stripe.expire_session(desk.order(client).stripe_checkout_session_id)
    elif ended == "nearly over":
        _shorten(desk, client)
    elif ended == "of another account":
        desk.stripe.clear_stripe()
    answer = desk.press(path)
    assert answer.status == 303
    assert answer.headers["Location"] == desk.checkout(client)
    (made,) = desk.rows("select * from fleet.reminder_sessions")
    fresh = desk.order(client).stripe_checkout_session_id
    assert (made.session_id, made.order_id, made.number) == (fresh, client.order_id, 7)
    found = {each.id: each for each in desk.stripe.stripe_sessions()}
    assert found[fresh].status == "open"
    assert found[fresh].amount == 99_900
    assert [each.status for key, each in found.items() if key != fresh] == closed
    again = desk.press(path)
    assert again.headers["Location"] == answer.headers["Location"]
    assert len(desk.rows("select from fleet.reminder_sessions")) == 1
    desk.stripe.pay(fresh)
    paid = desk.press(path)
    assert (paid.status, paid.headers["Location"]) == (303, f"{APP_URL}/dashboard")
    (reminder,) = desk.rows("select * from fleet.reminders")
    assert reminder.paid_at is not None
    assert desk.order(client).said == "PAID"


def _shorten(desk: Desk, client: Client) -> None:
    """The order's checkout ends within the hour."""
    wanted = NewCheckout(
        reference=str(client.order_id),
        product="LLC Formation",
        amount=99_900,
        currency="usd",
        metadata={"order_id": str(client.order_id)},
        success_url=APP_URL,
        cancel_url=APP_URL,
        expires_at=datetime.now(UTC) + timedelta(minutes=40),
    )
    desk.stripe.expire_session(desk.order(client).stripe_checkout_session_id)
    desk.change(
        "update orders set stripe_checkout_session_id = :it where id = :id",
        it=desk.payments.create(wanted, "short").session_id,
        id=client.order_id,
    )


def test_two_presses_at_once_lead_to_one_checkout(desk: Desk) -> None:
    client = desk.client()
    path = desk.remind(client)
    start, led = Barrier(4), []

    def press() -> None:
        start.wait(10)
        answer = desk.press(path)
        led.append((answer.status, answer.headers.get("Location")))

    with side_by_side(*[press] * 4):
        pass
    assert led == [(303, desk.checkout(client))] * 4
    assert len(desk.rows("select from fleet.reminder_sessions")) == 1
    assert [each.status for each in desk.stripe.stripe_sessions()] == ["open"]


def test_paid_leads_to_the_dashboard_as_soon_as_it_is_known(desk: Desk) -> None:
    client = desk.client()
    checkout = desk.shop.checkout(client)
    path = desk.remind(client)
    desk.stripe.pay(checkout.session_id)
    assert desk.caller.ask(path).status == 200, "nobody has told the fleet yet"
    pressed = desk.press(path)
    assert (pressed.status, pressed.headers["Location"]) == (303, f"{APP_URL}/dashboard")
    assert desk.order(client).said == "PAID"
    for method in ("GET", "HEAD"):
        opened = desk.caller.ask(path, method)
        assert (opened.status, opened.headers["Location"]) == (303, f"{APP_URL}/dashboard")


def test_a_payment_under_way_is_not_made_twice(desk: Desk) -> None:
    client = desk.client()
    session = desk.shop.checkout(client).session_id
    path = desk.remind(client)
    desk.stripe.pay_later(session)
    answer = desk.press(path)
    assert (answer.status, "Votre paiement est en cours" in answer.data.decode()) == (200, True)
    assert len(desk.stripe.stripe_sessions()) == 1
    desk.stripe.finish_async(session, succeeded=False)
    assert desk.press(path).headers["Location"] == desk.checkout(client)
    assert len(desk.stripe.stripe_sessions()) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("CANCELLED", "a été annulée"),
        ("REFUNDED", "vous a été remboursée"),
        ("FAILED", "ne peut plus être réglée par ce lien"),
    ],
)
def test_what_cannot_be_paid_any_more_is_said(desk: Desk, status: str, said: str) -> None:
    client = desk.client()
    path = desk.remind(client)
    desk.change(f"update orders set status = '{status}' where id = :id", id=client.order_id)
    for answer in (desk.caller.ask(path), desk.press(path)):
        page = answer.data.decode()
        assert (answer.status, said in page, "<form" in page) == (200, True, False)
        assert f'href="{APP_URL}"' in page
    assert desk.stripe.stripe_sessions() == []
    assert desk.clicks()[0][1] is not None


def test_the_page_is_in_the_persons_language_and_harms_nobody(desk: Desk) -> None:
    client = desk.client()
    path = desk.remind(client)
    desk.change("insert into fleet.preferences (user_id, locale) values (:id, 'en')", id=client.user_id)
    desk.change("update products set name = :name", name='<script src="//evil.example"></script>{0}"')
    try:
        page = desk.caller.ask(path).data.decode()
    finally:
        desk.change("update products set name = 'LLC Formation' where code = 'LLC_FORMATION'")
    assert "$999.00 is left to pay for" in page
    assert "Pay for my order" in page
    assert "<script" not in page
    assert Page(page.removeprefix("<!doctype html>")).problems == []


def test_a_token_is_not_to_be_guessed_or_bent(desk: Desk) -> None:
    client = desk.client()
    path = desk.remind(client)
    skipped = desk.remind(client, 2, state="SKIPPED")
    wrong = [
        skipped,
        path[:-1],
        f"{path}A",
        "/r/x",
        f"/r/{secrets.token_urlsafe(16)}",
        f"/r/{client.order_id}",
    ]
    wrong += [f"{path}%00", "/r/%C3%A9%00", "/r/..%2fu", f"{path[:3]}{path[3:].swapcase()}", "/r/%25" * 30]
    for each in wrong:
        assert (desk.caller.ask(each).status, desk.press(each).status) == (404, 404), each
    assert desk.caller.ask("/r/").status == 404
    (unknown,) = {desk.caller.ask(each).data for each in wrong[:4]}
    assert "pas valable" in unknown.decode()
    for bent in (f"{path}?next=https://evil.example", f"{path}?url=//evil.example"):
        assert desk.press(bent).headers["Location"].startswith(f"{desk.stripe.base_url}/checkout/")


def test_an_address_that_is_not_allowed_is_led_to_by_nobody(
    desk: Desk, leaving: list[threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    client = desk.client()
    path = desk.remind(client)
    elsewhere = ["https://checkout.stripe.com", desk.stripe.base_url[:-1], f"{desk.stripe.base_url}.evil"]
    page = replace(desk.page, checkouts=elsewhere)
    with serving(desk.sessions, desk.clock, leaving, page.routes()) as caller:
        answer = caller.post(path, b"", PRESSED)
    assert (answer.status, "Location" in answer.headers) == (503, False)
    assert "not to be paid at an address that is allowed" in caplog.text


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://partners.example.com"}, True),
        ({"Origin": "null"}, True),  # older browsers, from a page that names no referrer
        ({}, True),
    ],
    ids=["own", "typed", "foreign", "neighbour", "foreign old", "own old", "silent old", "nothing said"],
)
def test_only_the_pages_own_button_is_taken(desk: Desk, headers: dict[str, str], *, taken: bool) -> None:
    path = desk.remind(desk.client())
    assert desk.press(path, headers).status == (303 if taken else 403)
    assert desk.untouched() is not taken


def test_while_stripe_is_away_the_page_says_so_and_the_click_is_kept(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    client = desk.client()
    desk.shop.checkout(client)
    path = desk.remind(client)
    desk.change(
        "update orders set stripe_checkout_session_id = 'cs_test_gone' where id = :id", id=client.order_id
    )
    gone = StripePayments(
        USUAL_STRIPE_KEY,
        "http://127.0.0.1:9",
        PooledTransport(connect_timeout=1, read_timeout=1, connections=1),
        lambda: None,
    )
    checkouts = desk.page.following.checkouts
    away = replace(checkouts, cashier=replace(checkouts.cashier, provider=gone), maker=gone)
    following = replace(desk.page.following, checkouts=away)
    object.__setattr__(desk.page, "following", following)
    answer = desk.press(path)
    assert (answer.status, "Réessayez dans quelques minutes" in answer.data.decode()) == (503, True)
    assert desk.clicks()[0][1] is not None
    assert "can't be followed for now" in caplog.text
    assert path.removeprefix("/r/") not in caplog.text


def test_while_the_database_is_away_the_page_says_so(
    desk: Desk, leaving: list[threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    nowhere = sessionmaker(engine)
    page = replace(desk.page, following=replace(desk.page.following, sessions=nowhere))
    path = f"/r/{secrets.token_urlsafe(16)}"
    with serving(nowhere, desk.clock, leaving, page.routes()) as caller:
        assert caller.ask(path).status == 503
        assert caller.post(path, b"", PRESSED).status == 503
    assert "can't be followed for now (OperationalError)" in caplog.text
    engine.dispose()


def test_the_link_of_who_was_erased_is_dead(desk: Desk) -> None:
    client = desk.client()
    path = desk.remind(client)
    waiting = desk.remind(client, 2, state="CLAIMED", token=None)
    assert waiting
    eraser = Eraser(desk.sessions, {}, {}, "FR", desk.clock)
    assert eraser.erase(client.user_id, By("operator", "asked for by letter")).rows["reminders"] == 2
    assert (desk.caller.ask(path).status, desk.press(path).status) == (404, 404)
    found = desk.rows("select number, state, reason, token from fleet.reminders order by number")
    assert [tuple(row) for row in found] == [(1, "SENT", None, None), (2, "SKIPPED", "erased", None)]
    assert eraser.plan(client.user_id).rows["reminders"] == 0


def test_the_link_goes_as_it_is_on_every_channel(desk: Desk) -> None:
    links = Links(desk.sessions, PUBLIC_URL, APP_URL, desk.clock, timedelta(days=90))
    url = f"{PUBLIC_URL}{desk.remind(desk.client())}"
    assert links.shorten(url, uuid4(), uuid4()) == url
