"""Checkout Sessions made and closed by the adapter: what is sent, and what the answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from providers.errors import Rejected, Transient
from providers.stripe import StripePayments
from providers.transport import PooledTransport
from tests.providers.adapters import RECIPIENT, checkout, told
from tests.providers.stripes import session
from tests.providers.stub import Drop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import Answer, Reply, StubServer

pytestmark = pytest.mark.usefixtures("described")

TOKEN = UUID(int=7)
OPEN = {"status": "open", "payment_status": "unpaid", "payment_intent": None, "customer": None}
NOT_OPEN = {
    "error": {
        "type": "invalid_request_error",
        "message": 'Only Checkout Sessions with a status in ["open"] can be expired.',
    }
}
MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing"}}


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def payments(stub: StubServer, transport: PooledTransport) -> StripePayments:
    return StripePayments("sk_test_made_up", stub.url, transport, lambda: None)


def form(stub: StubServer) -> dict[str, str]:
    (request,) = stub.requests
    return {name: value for name, (value,) in parse_qs(request.body.decode(), strict_parsing=True).items()}


def test_a_session_is_made_under_its_key(payments: StripePayments, stub: StubServer) -> None:
    url = "https://checkout.example.com/c/pay/cs_test_1"
    stub.script.append(told(200, session(**OPEN, url=url)))
    made = payments.create(checkout(TOKEN), "reminder:7")
    assert (made.session_id, made.status, made.url, made.payment) == ("cs_test_1", "open", url, None)
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", "/v1/checkout/sessions")
    assert request.headers["idempotency-key"] == "reminder:7"
    assert form(stub) == {
        "mode": "payment",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "99900",
        "line_items[0][price_data][product_data][name]": "Création d’une LLC",
        "line_items[0][quantity]": "1",
        "client_reference_id": str(TOKEN),
        "metadata[order_id]": str(TOKEN),
        "payment_intent_data[metadata][order_id]": str(TOKEN),
        "success_url": "https://app.example.com/payment/success?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://app.example.com/payment/cancelled",
        "expires_at": str(int(datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp())),
        "customer_email": RECIPIENT,
        "expand[0]": "payment_intent.latest_charge",
    }


def test_a_known_customer_stands_for_the_address(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, session(**OPEN)))
    payments.create(checkout(TOKEN, customer_id="cus_1", product="x" * 300), "reminder:7")
    sent = form(stub)
    assert (sent["customer"], "customer_email" in sent) == ("cus_1", False)
    assert len(sent["line_items[0][price_data][product_data][name]"]) == 250


def test_without_customer_and_address(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, session(**OPEN)))
    payments.create(checkout(TOKEN, email=None), "reminder:7")
    assert not {"customer", "customer_email"} & form(stub).keys()


def test_the_address_is_not_shown() -> None:
    assert RECIPIENT not in repr(checkout(TOKEN))


def test_a_key_of_another_request_is_refused(payments: StripePayments, stub: StubServer) -> None:
    said = "Keys for idempotent requests can only be used with the same parameters"
    stub.script.append(told(400, {"error": {"type": "idempotency_error", "message": said}}))
    with pytest.raises(Rejected, match="http_400"):
        payments.create(checkout(TOKEN), "reminder:7")


def test_a_lost_answer_may_be_asked_for_again(payments: StripePayments, stub: StubServer) -> None:
    stub.script.extend([Drop(body_read=True), told(200, session(**OPEN))])
    with pytest.raises(Transient):
        payments.create(checkout(TOKEN), "reminder:7")
    assert payments.create(checkout(TOKEN), "reminder:7").session_id == "cs_test_1"
    first, second = stub.requests
    assert (first.body, first.headers) == (second.body, second.headers)


def test_an_open_session_is_closed(payments: StripePayments, stub: StubServer) -> None:
    stub.script.append(told(200, session(**{**OPEN, "status": "expired"})))
    closed = payments.expire("cs_test_1")
    assert closed is not None
    assert closed.status == "expired"
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", "/v1/checkout/sessions/cs_test_1/expire")


@pytest.mark.parametrize("status", ["complete", "expired"])
def test_one_that_is_not_open_is_shown_as_it_is(
    payments: StripePayments, stub: StubServer, status: str
) -> None:
    stub.script.extend([told(400, NOT_OPEN), told(200, session(status=status))])
    found = payments.expire("cs_test_1")
    assert found is not None
    assert found.status == status
    assert [request.method for request in stub.requests] == ["POST", "GET"]


def test_one_that_is_open_all_the_same_is_an_error(payments: StripePayments, stub: StubServer) -> None:
    stub.script.extend([told(400, NOT_OPEN), told(200, session(**OPEN))])
    with pytest.raises(Rejected):
        payments.expire("cs_test_1")


@pytest.mark.parametrize("status", [404, 400])
def test_one_that_is_not_there(payments: StripePayments, stub: StubServer, status: int) -> None:
    stub.script.append(told(status, MISSING))
    assert payments.expire("cs_test_1") is None
    assert payments.expire("../customers") is None
    assert len(stub.requests) == 1


@pytest.mark.parametrize("answer", [told(503, {}), Drop(body_read=True), told(200, {"id": 7})])
def test_trouble_in_closing_is_tried_again(
    payments: StripePayments, stub: StubServer, answer: Answer | Reply
) -> None:
    stub.script.append(answer)
    with pytest.raises(Transient):
        payments.expire("cs_test_1")
    assert len(stub.requests) == 1
