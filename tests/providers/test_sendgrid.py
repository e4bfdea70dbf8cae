from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, Content, CustomArg, From, Mail, To

from providers.errors import Misconfigured, ProviderError, Rejected, Transient
from providers.redaction import redact
from providers.retry_after import seconds_until_allowed
from providers.sendgrid import SendGridEmail
from providers.transport import PooledTransport
from tests.providers.adapters import RECIPIENT, email
from tests.providers.stub import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")

SENDER = "Partners VRAI <bonjour@example.com>"
TOKEN = UUID("0d4f1a52-7a5f-4b0e-9d0a-3f6a55b4f001")


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def provider(stub: StubServer, transport: PooledTransport) -> SendGridEmail:
    stub.default = Reply(202, {"X-Message-Id": "made-up"})
    return SendGridEmail("SG.made-up", stub.url, SENDER, transport)


def test_the_request_is_the_one_that_the_sdk_sends(
    provider: SendGridEmail, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.send(email(TOKEN))
    message = Mail(From("bonjour@example.com", "Partners VRAI"), To(RECIPIENT), "Votre dossier est complet")
    message.add_content(Content("text/plain", "Été"))
    message.add_content(Content("text/html", "<p>Été</p>"))
    message.add_category(Category("DOSSIER_COMPLETE"))
    message.add_custom_arg(CustomArg("attempt", str(TOKEN), p=0))
    monkeypatch.setenv("no_proxy", "*")
    SendGridAPIClient("SG.made-up", host=stub.url).send(message)
    ours, theirs = stub.requests
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
    assert ours.path == "/v3/mail/send"
    assert ours.headers == {name: value for name, value in theirs.headers.items() if name != "connection"}


def test_body(provider: SendGridEmail, stub: StubServer) -> None:
    receipt = provider.send(email(TOKEN))
    assert receipt.response == {"status": 202}
    assert json.loads(stub.requests[0].body) == {
        "from": {"email": "bonjour@example.com", "name": "Partners VRAI"},
        "personalizations": [{"to": [{"email": RECIPIENT}], "custom_args": {"attempt": str(TOKEN)}}],
        "subject": "Votre dossier est complet",
        "content": [{"type": "text/plain", "value": "Été"}, {"type": "text/html", "value": "<p>Été</p>"}],
        "categories": ["DOSSIER_COMPLETE"],
    }


def test_one_click_unsubscribes_where_there_is_an_address(provider: SendGridEmail, stub: StubServer) -> None:
    provider.send(email(TOKEN))
    provider.send(email(TOKEN, unsubscribe_url="https://fleet.example.com/u/made-up"))
    without, with_address = (json.loads(request.body) for request in stub.requests)
    assert "headers" not in without
    assert with_address == without | {
        "headers": {
            "List-Unsubscribe": "<https://fleet.example.com/u/made-up>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    }


@pytest.mark.parametrize(
    "recipient",
    ["a@example.com, b@example.com", "A <a@example.com>", "a@example.com\r\nBcc: b@example.com", "a"],
)
def test_an_address_is_sent_as_it_is(provider: SendGridEmail, stub: StubServer, recipient: str) -> None:
    provider.send(email(TOKEN, recipient=recipient))
    (personalization,) = json.loads(stub.requests[0].body)["personalizations"]
    assert personalization["to"] == [{"email": recipient}]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (405, Misconfigured),
        (406, Misconfigured),
        (408, Transient),
        (413, Rejected),
        (415, Misconfigured),
        (422, Rejected),
    ],
)
def test_statuses_of_its_own(
    provider: SendGridEmail, stub: StubServer, status: int, kind: type[ProviderError]
) -> None:
    stub.script.append(Reply(status))
    with pytest.raises(kind, match=f"http_{status}"):
        provider.send(email(TOKEN))


def test_a_refusal_says_which_field_and_why(provider: SendGridEmail, stub: StubServer) -> None:
    errors = [
        {"field": "subject", "message": "The subject is required.\nSee the help."},
        {"field": None, "message": f"Said to {RECIPIENT.upper()} and other.person%40example.com"},
    ]
    stub.script.append(Reply(400, {}, json.dumps({"errors": errors}).encode()))
    with pytest.raises(Rejected) as caught:
        provider.send(email(TOKEN))
    assert caught.value.code == "http_400"
    assert caught.value.detail == (
        "subject: The subject is required. See the help.; Said to [address] and [address]"
    )


def test_a_refused_sender_is_our_mistake(provider: SendGridEmail, stub: StubServer) -> None:
    body = {
        "errors": [{"field": "from.email", "message": "The from email does not contain a valid address."}]
    }
    stub.script.append(Reply(400, {}, json.dumps(body).encode()))
    with pytest.raises(Misconfigured, match="http_400"):
        provider.send(email(TOKEN))


def test_a_text_that_the_sdk_will_not_send(provider: SendGridEmail, stub: StubServer) -> None:
    with pytest.raises(Rejected, match="key_in_content"):
        provider.send(email(TOKEN, text="SG.abc.def"))
    assert not stub.requests


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("api_key", ""),
        ("api_key", "SG.key\n"),
        ("api_key", "SG.clé"),
        ("base_url", "api.sendgrid.com"),
        ("base_url", "ftp://api.sendgrid.com"),
        ("base_url", "https://"),
        ("base_url", "https://api.sendgrid.com?x=1"),
        ("sender", ""),
        ("sender", "Partners VRAI"),
        ("sender", "VRAI, Partners <bonjour@example.com>"),
        ("sender", "Partners VRAI <bonjour@example.com>\r\nBcc: x@example.com"),
    ],
)
def test_malformed_settings(transport: PooledTransport, setting: str, value: str) -> None:
    chosen = {
        "api_key": "SG.made-up",
        "base_url": "https://api.sendgrid.com",
        "sender": SENDER,
        setting: value,
    }
    with pytest.raises(ValueError, match=r"SendGrid|sender") as caught:
        SendGridEmail(chosen["api_key"], chosen["base_url"], chosen["sender"], transport)
    assert setting != "api_key" or not value or value not in str(caught.value)


def test_a_bare_sender_has_no_name(stub: StubServer, transport: PooledTransport) -> None:
    stub.default = Reply(202, {"X-Message-Id": "made-up"})
    SendGridEmail("SG.made-up", f"{stub.url}/", "bonjour@example.com", transport).send(email(uuid4()))
    assert json.loads(stub.requests[0].body)["from"] == {"email": "bonjour@example.com"}
    assert stub.requests[0].path == "/v3/mail/send"


@settings(deadline=None)
@given(st.text(), st.text(), st.floats(0, 1e11))
def test_any_rate_limit_header_is_survived(after: str, reset: str, now: float) -> None:
    wait = seconds_until_allowed({"Retry-After": after, "X-RateLimit-Reset": reset}, now)
    assert wait is None or 0 <= wait < float("inf")


@settings(deadline=None)
@given(st.text(), st.text(), st.emails())
def test_no_address_survives_redaction(before: str, after: str, address: str) -> None:
    kept = redact(f"{before}{address.swapcase()}{after}", address)
    assert address.lower() not in kept.lower()
    assert "@" not in kept
    assert len(kept) <= 300
    assert kept.isprintable()
