from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.errors import Misconfigured, ProviderError, RateLimited, Rejected, Transient
from providers.payments import Checkout, Dispute, Page, Payment, PaymentEvent, Refund, Window
from providers.stripe import PAGE_SIZE, StripePayments
from providers.transport import PooledTransport
from tests.providers import stripes
from tests.providers.adapters import RECIPIENT, told
from tests.providers.stripes import CREATED, charge, intent, listed, session, unpaid
from tests.providers.stub import Raw, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")

KEY = "sk_test_made_up"
AT = datetime.fromtimestamp(CREATED, UTC)
WINDOW = Window(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
PAID = Payment(
    payment_id="pi_1",
    status="succeeded",
    amount=12_000,
    received=12_000,
    currency="eur",
    created_at=AT,
    charge_id="ch_1",
    customer_id="cus_1",
    metadata={"order_id": "made-up"},
)
BOUGHT = Checkout(
    session_id="cs_test_1",
    status="complete",
    payment_status="paid",
    amount=12_000,
    currency="eur",
    created_at=AT,
    expires_at=datetime.fromtimestamp(CREATED + 86_400, UTC),
    customer_id="cus_1",
    metadata={"order_id": "made-up"},
    payment=PAID,
)
MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing"}}


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def payments(stub: StubServer, transport: PooledTransport) -> StripePayments:
    return StripePayments(KEY, stub.url, transport, lambda: None)


def asked(stub: StubServer) -> tuple[str, dict[str, list[str]]]:
    (request,) = stub.requests
    parts = urlsplit(request.path)
    return parts.path, parse_qs(parts.query, strict_parsing=bool(parts.query))


def test_a_checkout_with_its_payment(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, session()))
    assert payments.checkout("cs_test_1") == BOUGHT
    expanded = {"expand[0]": ["payment_intent.latest_charge"]}
    assert asked(stub) == ("/v1/checkout/sessions/cs_test_1", expanded)


def test_a_checkout_that_is_open(payments: StripePayments, stub: StubServer) -> None:
    url = "https://checkout.example.com/c/pay/cs_test_1"
    begun = {"status": "open", "payment_status": "unpaid", "payment_intent": None, "customer": None}
    stub.script.append(told(200, session(**begun, url=url, metadata=None, currency="JPY")))
    found = payments.checkout("cs_test_1")
    assert found
    assert (found.status, found.payment, found.customer_id) == ("open", None, None)
    assert (found.url, found.metadata, found.currency) == (url, {}, "jpy")


def test_a_checkout_without_an_amount(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(
        told(200, session(mode="setup", amount_total=None, currency=None, payment_intent=None))
    )
    found = payments.checkout("cs_test_1")
    assert found == replace(BOUGHT, amount=None, currency=None, payment=None)


def test_the_checkout_of_a_payment(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(listed(session()))
    assert payments.checkout_of("pi_1") == BOUGHT
    expand = ["data.payment_intent.latest_charge"]
    assert asked(stub) == (
        "/v1/checkout/sessions",
        {"payment_intent": ["pi_1"], "limit": ["1"], "expand[0]": expand},
    )


@pytest.mark.parametrize(
    "answer", [listed(), told(404, MISSING), told(400, MISSING)], ids=["none", "404", "400"]
)
def test_a_payment_without_a_checkout(payments: StripePayments, stub: StubServer, answer: Reply) -> None:
    stub.script.append(answer)
    assert payments.checkout_of("pi_1") is None


def test_a_payment(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, intent(customer={"id": "cus_1", "object": "customer"})))
    assert payments.payment("pi_1") == PAID
    assert asked(stub) == ("/v1/payment_intents/pi_1", {"expand[0]": ["latest_charge"]})


def test_a_payment_refunded_in_part_and_disputed(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, intent(latest_charge=charge(amount_refunded=500, disputed=True))))
    assert payments.payment("pi_1") == replace(PAID, refunded=500, disputed=True)


_DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "lost_card"}
FAILURES: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "nothing tried": (unpaid(), None, None),
    "a card was declined": (
        unpaid(
            latest_charge=charge(id="ch_9", status="failed", failure_code="card_declined"),
            last_payment_error={**_DECLINED, "charge": "ch_9"},
        ),
        "card_declined",
        "ch_9",
    ),
    "a debit bounced": (
        unpaid(latest_charge=charge(id="py_9", status="failed", failure_code="insufficient_funds")),
        "insufficient_funds",
        "py_9",
    ),
    "never came to a charge": (
        unpaid(last_payment_error={"type": "card_error", "code": "authentication_required"}),
        "authentication_required",
        "pi_1:authentication_required",
    ),
    "never came to a charge, after one that failed": (
        unpaid(
            latest_charge=charge(id="ch_9", status="failed", failure_code="card_declined"),
            last_payment_error={"type": "card_error", "code": "authentication_required"},
        ),
        "authentication_required",
        "pi_1:authentication_required",
    ),
    "without a code": (unpaid(last_payment_error={"type": "api_error"}), "api_error", "pi_1:api_error"),
    "paid at the second try": (intent(), None, None),
}


@pytest.mark.parametrize(("found", "code", "key"), FAILURES.values(), ids=FAILURES.keys())
def test_the_last_failure(
    payments: StripePayments, stub: StubServer, found: object, code: str | None, key: str | None
) -> None:
    stub.script.append(told(200, found))
    payment = payments.payment("pi_1")
    assert payment
    assert (payment.failure_code, payment.failure_key) == (code, key)


def test_a_dispute(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, stripes.dispute()))
    assert payments.dispute("du_1") == Dispute("du_1", "needs_response", "fraudulent", 12_000, "eur", "pi_1")
    assert asked(stub) == ("/v1/disputes/du_1", {})


def test_events(payments: StripePayments, stub: StubServer) -> None:
    first, second = stripes.event(), stripes.event(id="evt_2", created=CREATED - 1)
    stub.script.append(listed(first, second, more=True))
    types = ["checkout.session.completed", "charge.refunded"]
    page = payments.events(WINDOW, types, None)
    assert page.after == "evt_2"
    assert [event.event_id for event in page.items] == ["evt_1", "evt_2"]
    assert page.items[0] == PaymentEvent("evt_1", AT, first), "as it came, the empty texts too"
    assert asked(stub) == (
        "/v1/events",
        {
            "created[gte]": [str(int(WINDOW.since.timestamp()))],
            "created[lte]": [str(int(WINDOW.until.timestamp()))],
            "limit": [str(PAGE_SIZE)],
            "types[0]": [types[0]],
            "types[1]": [types[1]],
        },
    )


def test_the_next_page_of_undelivered_events(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(listed())
    assert payments.events(WINDOW, ["charge.refunded"], "evt_2", undelivered=True) == Page([], None)
    _, query = asked(stub)
    assert (query["delivery_success"], query["starting_after"]) == (["false"], ["evt_2"])


def test_a_page_of_payments(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(listed(intent(), more=True))
    assert payments.payments(WINDOW, None) == Page([PAID], "pi_1")
    path, query = asked(stub)
    assert (path, query["expand[0]"]) == ("/v1/payment_intents", ["data.latest_charge"])


def test_a_page_of_refunds(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(listed(stripes.refund(), stripes.refund(id="re_2", status=None, payment_intent=None)))
    found = payments.refunds(WINDOW, "re_0")
    assert found.after is None
    assert found.items == [
        Refund("re_1", "succeeded", 500, "eur", "pi_1"),
        Refund("re_2", "unknown", 500, "eur", None),
    ]
    path, query = asked(stub)
    assert (path, query["starting_after"]) == ("/v1/refunds", ["re_0"])


SINGLE: Mapping[str, Callable[[StripePayments, str], object]] = {
    "checkout": StripePayments.checkout,
    "checkout of": StripePayments.checkout_of,
    "payment": StripePayments.payment,
    "dispute": StripePayments.dispute,
}


@pytest.mark.parametrize("question", SINGLE.values(), ids=SINGLE.keys())
def test_there_is_none(
    payments: StripePayments, stub: StubServer, question: Callable[[StripePayments, str], object]
) -> None:
    stub.script.append(told(404, MISSING))
    assert question(payments, "made_up_1") is None
    assert len(stub.requests) == 1


@pytest.mark.parametrize("some_id", ["", "pi_1/cancel", "pi_1\n", "../events", "pi 1", "pi_é", "p" * 256])
@pytest.mark.parametrize("question", SINGLE.values(), ids=SINGLE.keys())
def test_an_id_that_is_none_is_not_asked_for(
    payments: StripePayments,
    stub: StubServer,
    question: Callable[[StripePayments, str], object],
    some_id: str,
) -> None:
    assert question(payments, some_id) is None
    assert not stub.requests


def test_a_wrong_address_is_not_a_missing_payment(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(Reply(404, {}, b"<html>"))
    with pytest.raises(Misconfigured, match="http_404"):
        payments.payment("pi_1")


def test_a_page_begins_where_there_is_nothing_any_more(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(404, MISSING))
    with pytest.raises(Rejected, match="resource_missing"):
        payments.events(WINDOW, ["charge.refunded"], "evt_gone")


SENSELESS: dict[str, Any] = {
    "nothing": {},
    "a list": [],
    "a text": "pi_1",
    "null": None,
    "no charge": {name: value for name, value in intent().items() if name != "latest_charge"},
    "charge not expanded": intent(latest_charge="ch_1"),
    "amount in words": intent(amount="12000"),
    "amount with cents": intent(amount=120.5),
    "negative": intent(amount_received=-1),
    "true": intent(amount=True),
    "no status": intent(status=None),
    "empty id": intent(id=""),
    "refunded in words": intent(latest_charge=charge(amount_refunded="0")),
    "disputed in words": intent(latest_charge=charge(disputed="false")),
    "metadata of numbers": intent(metadata={"order_id": 1}),
    "metadata in a row": intent(metadata=["order_id"]),
    "after all time": intent(created=10**15),
    "customer in a row": intent(customer=["cus_1"]),
    "failure in words": intent(last_payment_error="declined"),
}


@pytest.mark.parametrize("answer", SENSELESS.values(), ids=SENSELESS.keys())
def test_a_payment_that_makes_no_sense(payments: StripePayments, stub: StubServer, answer: object) -> None:
    stub.script.append(told(200, answer))
    with pytest.raises(Transient, match="unreadable_answer"):
        payments.payment("pi_1")


@pytest.mark.parametrize(
    "answer",
    [
        told(200, {"object": "list", "data": {}, "has_more": False}),
        told(200, {"object": "list", "data": [], "has_more": True}),
        told(200, {"object": "list", "data": []}),
        told(200, {"object": "list", "data": [], "has_more": "no"}),
        listed(None),
        listed({}),
        listed(intent(amount=None)),
        told(200, intent()),
    ],
    ids=["no list", "more of nothing", "no word", "a word", "null", "empty", "no amount", "no page"],
)
def test_a_page_that_makes_no_sense(payments: StripePayments, stub: StubServer, answer: Reply) -> None:
    stub.script.append(answer)
    with pytest.raises(Transient, match="unreadable_answer"):
        payments.payments(WINDOW, None)


def test_a_checkout_whose_payment_is_not_expanded(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, session(payment_intent="pi_1")))
    with pytest.raises(Transient, match="unreadable_answer"):
        payments.checkout("cs_test_1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(st.dictionaries(st.sampled_from(sorted(session())), JSON))
def test_any_field_may_be_odd(payments: StripePayments, stub: StubServer, changed: dict[str, Any]) -> None:
    stub.script.append(told(200, session(**changed)))
    try:
        found = payments.checkout("cs_test_1")
    except Transient:
        return
    assert found
    assert found.amount is None or (type(found.amount) is int and found.amount >= 0)
    assert found.session_id


def test_what_an_error_says_is_fit_to_be_kept(payments: StripePayments, stub: StubServer) -> None:
    said = {"error": {"message": f"Invalid API Key: {KEY}, of {RECIPIENT}", "type": "invalid_request_error"}}
    stub.script.append(told(401, said))
    with pytest.raises(Misconfigured) as caught:
        payments.payment("pi_1")
    assert caught.value.code == "http_401"
    assert KEY not in str(caught.value)
    assert RECIPIENT not in str(caught.value)


def test_a_cut_answer_is_nowhere_in_the_error(
    payments: StripePayments, stub: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stub.script.append(Reply(200, {}, f'{{"customer_details": {{"email": "{RECIPIENT}"'.encode()))
    with pytest.raises(Transient) as caught:
        payments.checkout("cs_test_1")
    logging.getLogger("test").error("failed", exc_info=caught.value)
    assert "unreadable_answer" in caplog.text
    assert RECIPIENT not in caplog.text


def test_a_status_of_no_class_is_asked_again(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(Raw(b"HTTP/1.1 699 Said\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(Transient, match="http_699"):
        payments.payment("pi_1")


def test_every_question_waits_for_its_turn(stub: StubServer, transport: PooledTransport) -> None:
    turns: list[int] = []
    payments = StripePayments(KEY, stub.url, transport, lambda: turns.append(len(stub.requests)))
    stub.script.extend([told(200, intent()), listed(), told(404, MISSING)])
    payments.payment("pi_1")
    payments.refunds(WINDOW, None)
    payments.dispute("du_1")
    payments.dispute("no id")
    assert turns == [0, 1, 2]


def test_no_turn_no_question(stub: StubServer, transport: PooledTransport) -> None:
    def full() -> None:
        raise RateLimited("own_limit", "full", 1)

    with pytest.raises(ProviderError, match="own_limit"):
        StripePayments(KEY, stub.url, transport, full).payment("pi_1")
    assert not stub.requests


def test_nothing_of_this_machine_is_told(
    payments: StripePayments, stub: StubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    notice = {"Stripe-Notice": "Something new", "Request-Id": "req_1"}
    stub.script.extend([Reply(200, notice, told(200, intent()).body)] * 2)
    payments.payment("pi_1")
    payments.payment("pi_1")
    wanted = {"authorization", "stripe-version", "host", "accept-encoding", "user-agent"}
    assert [set(request.headers) - wanted for request in stub.requests] == [set(), set()]
    assert stub.requests[0].headers["stripe-version"] == "2026-10-28.endive"
    assert "Stripe" not in stub.requests[0].headers.get("user-agent", "")
    assert not list(tmp_path.iterdir())
    assert stripe.api_key is None


@pytest.mark.parametrize("key", ["", "sk test", "clé", "sk_test\n"])
def test_malformed_keys(key: str, transport: PooledTransport) -> None:
    with pytest.raises(ValueError, match="Stripe secret key"):
        StripePayments(key, "https://api.stripe.com", transport, lambda: None)


@pytest.mark.parametrize("url", ["", "api.stripe.com", "ftp://api.stripe.com", "https://x?y"])
def test_malformed_addresses(url: str, transport: PooledTransport) -> None:
    with pytest.raises(ValueError, match="Stripe base URL"):
        StripePayments(KEY, url, transport, lambda: None)
