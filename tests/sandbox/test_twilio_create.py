"""Creating messages, by Twilio's own SDK where it can."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import urllib3
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.sandbox.conftest import ACCOUNT, OURS, TOKEN, HttpClient
from workers.dev.sandbox.phones import PhoneMessage, Phones

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.dev.sandbox.client import SandboxClient

    Send = Callable[..., Any]

PHONE = "+33639981234"
CONTENT = f"HX{'a' * 32}"
TYPES = {
    "account_sid": str,
    "api_version": str,
    "body": str,
    "date_created": str,
    "date_sent": type(None),
    "date_updated": str,
    "direction": str,
    "error_code": type(None),
    "error_message": type(None),
    "from": str,
    "messaging_service_sid": type(None),
    "num_media": str,
    "num_segments": str,
    "price": type(None),
    "price_unit": str,
    "sid": str,
    "status": str,
    "subresource_uris": dict,
    "to": str,
    "uri": str,
}


def post(sandbox: SandboxClient, fields: dict[str, str] | bytes, **headers: str) -> urllib3.BaseHTTPResponse:
    secret = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    return urllib3.request(
        "POST",
        f"{sandbox.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        body=fields if isinstance(fields, bytes) else urlencode(fields),
        headers={
            "Authorization": f"Basic {secret}",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        },
        retries=False,
    )


def good() -> dict[str, str]:
    return {"To": PHONE, "From": OURS, "Body": "Bonjour"}


def test_a_good_sms_is_accepted_and_kept(sandbox: SandboxClient, send: Send) -> None:
    callback = "http://127.0.0.1:9/webhooks/twilio/status?attempt=t-42#rc=0"
    sent = send(PHONE, "Bonjour " * 30, status_callback=callback, validity_period=3600)

    assert re.fullmatch(r"SM[0-9a-f]{32}", sent.sid)
    assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "2")
    assert (sent.to, sent.from_, sent.account_sid) == (PHONE, OURS, ACCOUNT)
    assert (sent.price, sent.price_unit, sent.date_sent) == (None, "USD", None)
    assert isinstance(sent.date_created, datetime)
    assert abs((datetime.now(UTC) - sent.date_created).total_seconds()) < 5

    [kept] = sandbox.phone_messages()
    assert (kept.sid, kept.channel, kept.to, kept.from_number) == (sent.sid, "sms", PHONE, OURS)
    assert (kept.token, kept.segments, kept.validity) == ("t-42", 2, 3600)
    assert sandbox.phone_message(sent.sid).body == "Bonjour " * 30
    assert sandbox.phone_messages(token="t-42") == sandbox.phone_messages(number=PHONE, channel="sms")
    assert sandbox.phone_messages(token="t-43") == []
    assert sandbox.stats().channels == {"sms": 1}


def test_an_answer_has_the_fields_and_types_of_the_official_description(sandbox: SandboxClient) -> None:
    answer = post(sandbox, good())
    assert answer.status == 201
    assert {name: type(value) for name, value in answer.json().items()} == TYPES
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", answer.json()["date_created"])


def test_a_wrong_token_is_refused_as_twilio_does(sandbox: SandboxClient) -> None:
    client = Client(ACCOUNT, "another", http_client=HttpClient(sandbox.base_url))
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(to=PHONE, from_=OURS, body="Bonjour")
    assert (refusal.value.status, refusal.value.code) == (401, 20003)
    client.http_client.session.close()
    other = f"AC{'2' * 32}"
    assert post(sandbox, good(), Authorization=f"Basic {other}").status == 401
    assert sandbox.phone_messages() == []
    assert sandbox.stats().refused == {"401": 2}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"To": ""}, 21604, "'To' phone number is required"),
        ({"From": ""}, 21603, "'From' phone number is required"),
        ({"To": "0639981234"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": "+33 6 39 98 12 34"}, 21211, "Invalid 'To' Phone Number"),
        ({"From": "0639981234"}, 21212, "'From' number"),
        ({"From": PHONE}, 21266, "cannot be the same"),
        ({"To": f"whatsapp:{PHONE}"}, 63007, "Channel"),
        ({"From": f"whatsapp:{OURS}"}, 63007, "Channel"),
        ({"Body": ""}, 21619, "must be specified"),
        ({"Body": "a" * 1601}, 21617, "1600"),
        ({"StatusCallback": "ftp://example.com"}, 21609, "not a valid URL"),
        ({"ValidityPeriod": "0"}, 21624, "validity period"),
        ({"ValidityPeriod": "36001"}, 21624, "validity period"),
        ({"ValidityPeriod": "soon"}, 20422, "ValidityPeriod"),
        ({"SmartEncoded": "perhaps"}, 20422, "SmartEncoded"),
        ({"RiskCheck": "off"}, 20422, "RiskCheck"),
        ({"Callback": "http://127.0.0.1/"}, 20001, "Callback"),
        ({"MessagingServiceSid": f"MG{'0' * 32}"}, 21701, "Messaging Service"),
        ({"ContentVariables": "{}"}, 21654, "ContentSid"),
        ({"ContentSid": "HX1"}, 21655, "ContentSid"),
        ({"ContentSid": CONTENT, "ContentVariables": "{"}, 21656, "ContentVariables"),
        ({"ContentSid": CONTENT, "ContentVariables": '["a"]'}, 21656, "ContentVariables"),
        ({"ContentSid": CONTENT, "ContentVariables": '{"1": ""}'}, 21656, "ContentVariables"),
        ({"ContentSid": CONTENT, "ContentVariables": '{"1": 1}'}, 21656, "ContentVariables"),
        ({"ContentSid": CONTENT, "ContentVariables": '{"1": "a\\nb"}'}, 21656, "ContentVariables"),
    ],
)
def test_a_bad_request_is_refused_with_its_code(
    sandbox: SandboxClient, change: dict[str, str], code: int, words: str
) -> None:
    answer = post(sandbox, good() | change)
    assert answer.status == 400
    refusal = answer.json()
    assert set(refusal) == {"code", "message", "more_info", "status"}
    assert (refusal["code"], refusal["status"]) == (code, 400)
    assert refusal["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert words in refusal["message"]
    assert sandbox.phone_messages() == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"To", b"To=%2B33639981234&To=%2B33639981235", b"{}"])
def test_what_is_no_form_is_refused(sandbox: SandboxClient, body: bytes) -> None:
    assert post(sandbox, body).status == 400
    assert post(sandbox, good(), **{"Content-Type": "application/json"}).status == 400


def test_another_resource_and_another_method_are_refused_in_json(sandbox: SandboxClient) -> None:
    secret = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    for method, path, status, code in (
        ("GET", "Calls.json", 404, 20404),
        ("GET", "Messages/SM0.json", 404, 20404),
        ("PUT", "Messages.json", 405, 20004),
    ):
        answer = urllib3.request(
            method,
            f"{sandbox.base_url}/2010-04-01/Accounts/{ACCOUNT}/{path}",
            headers={"Authorization": f"Basic {secret}"},
            retries=False,
        )
        assert (answer.status, answer.json()["code"]) == (status, code)


def test_the_store_forgets_the_oldest_and_its_phone() -> None:
    phones, now = Phones(2), datetime.now(UTC)
    for number in range(3):
        phones.add(
            PhoneMessage(
                sid=f"SM{number}",
                channel="sms",
                inbound=False,
                number=f"+3363998000{number}",
                ours=OURS,
                body="Bonjour",
                segments=1,
                created_at=now,
                updated_at=now,
                status="queued",
            )
        )
    assert [message.sid for message in phones] == ["SM1", "SM2"]
    assert list(phones.numbers()) == ["+33639980002", "+33639980001"]
