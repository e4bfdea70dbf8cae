from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from providers.base import ContentTemplate, Receipt
from providers.errors import ProviderError, RateLimited, Rejected, Undeliverable
from providers.transport import PooledTransport
from providers.twilio import TwilioMessages, TwilioSender
from providers.twilio_http import TwilioAccount
from tests.providers.adapters import ACCOUNT_SID, NUMBER, PUBLIC_URL, SENDER, no, text, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")

AUTH_TOKEN = "made-up"
TOKEN = UUID("0d4f1a52-7a5f-4b0e-9d0a-3f6a55b4f001")
MESSAGE_SID = "SM" + "1" * 32
CALLBACK = f"https://fleet.example.com/webhooks/twilio/status?attempt={TOKEN}#rc=2&rp=5xx,ct,rt"
TEMPLATE = ContentTemplate("HX" + "2" * 32, {"1": "Zoé", "2": "50 €"})

FIELDS = ("sid", "status", "num_segments", "date_created", "code", "message", "title")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def account(stub: StubServer) -> TwilioAccount:
    stub.default = told(201, {"sid": MESSAGE_SID, "status": "queued", "num_segments": "2"})
    return TwilioAccount(ACCOUNT_SID, AUTH_TOKEN, stub.url)


@pytest.fixture
def sms(account: TwilioAccount, transport: PooledTransport) -> TwilioMessages:
    return TwilioMessages(account, TwilioSender("SMS", SENDER), PUBLIC_URL, transport)


@pytest.fixture
def whatsapp(account: TwilioAccount, transport: PooledTransport) -> TwilioMessages:
    return TwilioMessages(account, TwilioSender("WHATSAPP", SENDER), f"{PUBLIC_URL}/", transport)


def sent(stub: StubServer) -> dict[str, str]:
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json")
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_an_sms(sms: TwilioMessages, stub: StubServer) -> None:
    receipt = sms.send(text(TOKEN))
    assert receipt == Receipt("twilio", MESSAGE_SID, {"status": "queued"}, 2)
    assert sent(stub) == {
        "To": NUMBER,
        "From": SENDER,
        "Body": "Été à 5 € & plus",
        "ValidityPeriod": "600",
        "StatusCallback": CALLBACK,
    }


def test_a_whatsapp_message(whatsapp: TwilioMessages, stub: StubServer) -> None:
    whatsapp.send(text(TOKEN))
    assert sent(stub) == {
        "To": f"whatsapp:{NUMBER}",
        "From": f"whatsapp:{SENDER}",
        "Body": "Été à 5 € & plus",
        "ValidityPeriod": "600",
        "StatusCallback": CALLBACK,
    }


def test_a_template_takes_the_place_of_the_text(whatsapp: TwilioMessages, stub: StubServer) -> None:
    whatsapp.send(text(TOKEN, template=TEMPLATE))
    parameters = sent(stub)
    assert "Body" not in parameters
    assert parameters["ContentSid"] == TEMPLATE.sid
    assert json.loads(parameters["ContentVariables"]) == TEMPLATE.variables


@pytest.mark.parametrize(("seconds", "sent_as"), [(-5, 1), (0, 1), (36_000, 36_000), (86_400, 36_000)])
def test_validity_stays_in_what_the_api_takes(
    sms: TwilioMessages, stub: StubServer, seconds: int, sent_as: int
) -> None:
    sms.send(text(TOKEN, validity_seconds=seconds))
    assert sent(stub)["ValidityPeriod"] == str(sent_as)


def test_the_request_is_the_one_that_the_sdk_sends(
    sms: TwilioMessages, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
        def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
            return super().request(method, stub.url + urlsplit(url).path, *args, **options)

    sms.send(text(TOKEN))
    monkeypatch.setenv("no_proxy", "*")
    http = Elsewhere()
    Client(ACCOUNT_SID, AUTH_TOKEN, http_client=http).messages.create(
        to=NUMBER, from_=SENDER, body="Été à 5 € & plus", validity_period=600, status_callback=CALLBACK
    )
    http.session.close()
    ours, theirs = stub.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert parse_qs(ours.body.decode()) == parse_qs(theirs.body.decode())
    of_http = {"connection", "accept-encoding", "host"}
    assert {name: value for name, value in ours.headers.items() if name not in of_http} == {
        name: value for name, value in theirs.headers.items() if name not in of_http
    }


def test_the_environment_does_not_matter(
    account: TwilioAccount, stub: StubServer, transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDGE", "REGION", "ACCOUNT_SID", "AUTH_TOKEN"):
        monkeypatch.setenv(f"TWILIO_{name}", "elsewhere")
    TwilioMessages(account, TwilioSender("SMS", SENDER), PUBLIC_URL, transport).send(text(TOKEN))
    assert sent(stub)["To"] == NUMBER


@pytest.mark.parametrize("segments", [None, "0", 0])
def test_segments_may_not_be_known_yet(
    sms: TwilioMessages, stub: StubServer, segments: str | int | None
) -> None:
    stub.script.append(told(201, {"sid": MESSAGE_SID, "status": "accepted", "num_segments": segments}))
    assert sms.send(text(TOKEN)).segments is None


def test_an_unseen_code_takes_the_default_of_its_channel(
    sms: TwilioMessages, whatsapp: TwilioMessages, stub: StubServer
) -> None:
    stub.script.extend([no(400, 99999, "News"), no(400, 99999, "News")])
    for channel, kind in ((sms, Rejected), (whatsapp, Undeliverable)):
        with pytest.raises(kind) as caught:
            channel.send(text(TOKEN))
        assert (caught.value.code, caught.value.detail, caught.value.known) == ("99999", "News", False)


@pytest.mark.parametrize("code", [63018, 63038])
def test_limits_of_a_day_wait_for_a_day(whatsapp: TwilioMessages, stub: StubServer, code: int) -> None:
    stub.script.append(no(400, code, "Rate limit exceeded for Channel"))
    with pytest.raises(RateLimited) as caught:
        whatsapp.send(text(TOKEN))
    assert caught.value.retry_after == 86_400


def test_a_refusal_in_the_newer_form(sms: TwilioMessages, stub: StubServer) -> None:
    problem = {
        "type": "https://www.twilio.com/docs/api/errors/21211",
        "title": "Invalid 'To' Phone Number",
        "status": 400,
        "code": 21211,
        "detail": f"{NUMBER} is not a number",
    }
    stub.script.append(told(400, problem))
    with pytest.raises(Rejected) as caught:
        sms.send(text(TOKEN))
    assert caught.value.code == "21211"
    assert caught.value.detail == "Invalid 'To' Phone Number: [address] is not a number"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    status=st.sampled_from([200, 201, 400, 429, 500]),
    body=JSON
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(FIELDS, JSON),
    ),
)
def test_any_answer_is_a_receipt_or_one_of_our_errors(
    sms: TwilioMessages, stub: StubServer, status: int, body: object
) -> None:
    stub.script.append(told(status, body))
    try:
        receipt = sms.send(text(TOKEN))
    except ProviderError:
        return
    assert isinstance(receipt.message_id, str)
    assert receipt.message_id


@pytest.mark.parametrize(
    ("sid", "auth_token", "base_url"),
    [
        ("", AUTH_TOKEN, "https://api.twilio.com"),
        (ACCOUNT_SID[:-1], AUTH_TOKEN, "https://api.twilio.com"),
        (f"{ACCOUNT_SID}\n", AUTH_TOKEN, "https://api.twilio.com"),
        (ACCOUNT_SID, "", "https://api.twilio.com"),
        (ACCOUNT_SID, "line\nbreak", "https://api.twilio.com"),
        (ACCOUNT_SID, AUTH_TOKEN, "api.twilio.com"),
    ],
)
def test_malformed_accounts(sid: str, auth_token: str, base_url: str) -> None:
    with pytest.raises(ValueError, match="Twilio") as caught:
        TwilioAccount(sid, auth_token, base_url)
    assert not auth_token or auth_token not in str(caught.value)


@pytest.mark.parametrize(
    ("channel", "number"),
    [
        ("EMAIL", SENDER),
        ("SMS", "0639980000"),
        ("SMS", "+0639980000"),
        ("SMS", "whatsapp:+33639980000"),
        ("SMS", ""),
    ],
)
def test_malformed_senders(channel: str, number: str) -> None:
    with pytest.raises(ValueError, match="Twilio sender"):
        TwilioSender(channel, number)


def test_a_malformed_public_url(account: TwilioAccount, transport: PooledTransport) -> None:
    with pytest.raises(ValueError, match="public"):
        TwilioMessages(account, TwilioSender("SMS", SENDER), "fleet.example.com", transport)


def test_the_token_is_not_shown(account: TwilioAccount) -> None:
    assert AUTH_TOKEN not in repr(account)
