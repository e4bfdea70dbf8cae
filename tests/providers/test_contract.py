"""The contract itself: what it lets pass is tested by every test of an adapter, what it does not here."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.providers.adapters import ACCOUNT_SID, NUMBER, SENDER
from tests.providers.contract import assert_described
from tests.providers.stub import Request

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {"content-type": "application/x-www-form-urlencoded"}
SMS = {"To": NUMBER, "From": SENDER, "Body": "Bonjour", "ValidityPeriod": "600"}
MAIL = {
    "personalizations": [{"to": [{"email": "a@example.com"}]}],
    "from": {"email": "b@example.com"},
    "subject": "Bonjour",
    "content": [{"type": "text/plain", "value": "Bonjour"}],
}


def create(parameters: dict[str, str]) -> Request:
    return Request("POST", MESSAGES, FORM, urlencode(parameters).encode(), 1)


def mail(body: object) -> Request:
    return Request(
        "POST", "/v3/mail/send", {"content-type": "application/json"}, json.dumps(body).encode(), 1
    )


def test_the_examples_are_described() -> None:
    assert_described(create(SMS))
    assert_described(mail(MAIL))


@pytest.mark.parametrize(
    "request_",
    [
        create({**SMS, "Boddy": "Bonjour"}),
        create({**SMS, "To": "0639980001"}),
        create({**SMS, "ValidityPeriod": "36001"}),
        create({**SMS, "ContentSid": "HX" + "0" * 32}),
        create({"From": SENDER, "Body": "Bonjour"}),
        create({"To": NUMBER, "ContentVariables": "{}"}),
        Request("POST", MESSAGES, {"content-type": "application/json"}, b"{}", 1),
        Request("POST", f"{MESSAGES}?To=1", FORM, urlencode(SMS).encode(), 1),
        Request("GET", f"{MESSAGES}?PageSize=1001", {}, b"", 1),
        Request("GET", f"{MESSAGES}?Recipient=1", {}, b"", 1),
        Request("GET", MESSAGES, {}, b"body", 1),
        Request("DELETE", MESSAGES, {}, b"", 1),
        Request("GET", "/elsewhere", {}, b"", 1),
        mail({**MAIL, "sender": "a@example.com"}),
        mail({**MAIL, "custom_args": {"attempt": "1"}}),
        mail({**MAIL, "content": []}),
        mail({**MAIL, "categories": ["a", "a"]}),
    ],
)
def test_what_no_provider_describes(request_: Request) -> None:
    with pytest.raises(AssertionError):
        assert_described(request_)
