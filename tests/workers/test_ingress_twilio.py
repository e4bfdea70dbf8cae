"""Twilio's callbacks over real HTTP: by the URL that Twilio was given, checked, stored once."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

from tests.workers.ingress_server import AUTH_TOKEN, FORM, PUBLIC_URL, SID, signature, stored
from workers.ingress.bodies import MOST_FIELDS
from workers.ingress.sources import TwilioStatus

if TYPE_CHECKING:
    import pytest
    from sqlalchemy.orm import Session, sessionmaker

    from tests.workers.ingress_server import Caller

STATUS = "/webhooks/twilio/status"
INBOUND = "/webhooks/twilio/inbound"
TOKEN = str(uuid4())
DELIVERED = {
    "MessageSid": SID,
    "MessageStatus": "delivered",
    "From": "whatsapp:+33639980000",
    "To": "whatsapp:+33639980001",
    "ErrorMessage": "",
    "ChannelStatusMessage": "été & = + % ?",
}
ARRET = {"MessageSid": SID, "From": "+33639980001", "To": "+33639980000", "Body": "ARRÊT 👋", "NumMedia": "0"}


def test_a_status_is_stored_once_with_the_token_of_its_url(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    path = f"{STATUS}?attempt={TOKEN}"
    answers = [caller.post_form(path, DELIVERED) for _ in range(3)]
    assert [(answer.status, answer.data) for answer in answers] == [(204, b"")] * 3
    assert stored(sessions) == {f"{SID}:delivered:-": DELIVERED | {"attempt": TOKEN}}
    assert caller.metric('fleet_callbacks_total{news="new",provider="twilio"}') == 1
    assert caller.metric('fleet_callbacks_total{news="known",provider="twilio"}') == 2


def test_each_status_and_each_code_is_a_callback_of_its_own(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    for status, code in (("sent", ""), ("undelivered", "30003"), ("undelivered", "30008"), ("sent", "")):
        form = {"MessageSid": SID, "MessageStatus": status, "ErrorCode": code}
        assert caller.post_form(STATUS, form).status == 204
    assert stored(sessions).keys() == {
        f"{SID}:sent:-",
        f"{SID}:undelivered:30003",
        f"{SID}:undelivered:30008",
    }
    assert all("attempt" not in body for body in stored(sessions).values())


def test_an_inbound_message_is_stored_and_answered_with_no_reply(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    answer = caller.post_form(INBOUND, ARRET)
    assert (answer.status, answer.data) == (200, b"<Response/>")
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert stored(sessions) == {f"{SID}:inbound": ARRET}


def test_the_query_counts_as_it_came(caller: Caller, sessions: sessionmaker[Session]) -> None:
    path = f"{STATUS}?x=%7e%2F+a%C3%A9&attempt=a%2Db"
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(path, DELIVERED)}
    with closing(HTTPConnection(*caller.address)) as line:  # urllib3 would write the query anew
        line.request("POST", path, urlencode(DELIVERED), headers)
        assert line.getresponse().status == 204
    assert stored(sessions)[f"{SID}:delivered:-"]["attempt"] == "a-b"


def test_a_parameter_in_the_form_is_no_token(caller: Caller, sessions: sessionmaker[Session]) -> None:
    assert caller.post_form(STATUS, DELIVERED | {"attempt": TOKEN}).status == 204
    assert stored(sessions) == {f"{SID}:delivered:-": DELIVERED}


def test_what_a_proxy_says_of_the_host_does_not_matter(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    headers = {
        "Content-Type": f"{FORM}; charset=UTF-8",
        "Host": "ingress.internal:8080",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Prefix": "/other",
    }
    body = urlencode(DELIVERED).encode()
    seen = signature(STATUS, DELIVERED, url=caller.url)
    for wrong in (seen, signature(STATUS, DELIVERED, url="http://ingress.internal:8080")):
        assert caller.post(STATUS, body, headers | {"X-Twilio-Signature": wrong}).status == 403
    assert stored(sessions) == {}
    right = headers | {"X-Twilio-Signature": signature(STATUS, DELIVERED)}
    assert caller.post(STATUS, body, right).status == 204


FORGED = (
    "",
    "not base64 é".encode().decode("latin-1"),
    signature(STATUS, DELIVERED)[:-5],
    signature(STATUS, DELIVERED).swapcase(),
    signature(STATUS, DELIVERED, token="another"),
    signature(STATUS, DELIVERED, token=AUTH_TOKEN + " "),
    signature(STATUS, DELIVERED | {"MessageStatus": "failed"}),
    signature(f"{STATUS}?attempt={TOKEN}", DELIVERED),
    signature(INBOUND, DELIVERED),
    signature(STATUS, DELIVERED, url=PUBLIC_URL.replace("https", "http")),
)


def test_what_is_not_surely_twilios_is_refused_and_not_stored(
    caller: Caller, sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    body = urlencode(DELIVERED).encode()
    for forged in FORGED:
        headers = {"Content-Type": FORM, "X-Twilio-Signature": forged}
        assert caller.post(STATUS, body, headers).status == 403, forged
    assert caller.post(STATUS, body, {"Content-Type": FORM}).status == 403
    assert stored(sessions) == {}
    refused = 'fleet_callback_posts_refused_total{provider="twilio",reason="signature"}'
    assert caller.metric(refused) == len(FORGED) + 1
    assert "was refused" in caplog.text
    assert "+336" not in caplog.text
    assert SID not in caplog.text


def test_a_token_is_signed_too(caller: Caller, sessions: sessionmaker[Session]) -> None:
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(f"{STATUS}?attempt={TOKEN}", DELIVERED)}
    body = urlencode(DELIVERED).encode()
    for path in (STATUS, f"{STATUS}?attempt={uuid4()}", f"{STATUS}?attempt={TOKEN}&attempt={uuid4()}"):
        assert caller.post(path, body, headers).status == 403
    assert stored(sessions) == {}


def test_what_is_signed_and_no_status_is_refused(caller: Caller, sessions: sessionmaker[Session]) -> None:
    for form in (
        {"MessageStatus": "sent"},
        {"MessageSid": SID},
        {"MessageSid": SID, "MessageStatus": ""},
        {"MessageSid": SID, "MessageStatus": "a" * 3000},
        {"MessageSid": SID, "MessageStatus": "failed", "ErrorCode": "30003; drop"},
        {"MessageSid": SID + "0", "MessageStatus": "sent"},
        {"MessageSid": SID + "\n", "MessageStatus": "sent"},
        {},
    ):
        assert caller.post_form(STATUS, form).status == 400, form
    assert stored(sessions) == {}


def test_what_is_no_form_is_refused(caller: Caller, sessions: sessionmaker[Session]) -> None:
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(STATUS, {})}
    for body in (
        b"MessageSid",
        b"MessageSid=%FF&MessageStatus=sent",
        "MessageSid=é".encode(),
        b"\x00\xff",
        b"&".join(b"a%d=1" % number for number in range(MOST_FIELDS + 1)),
    ):
        assert caller.post(STATUS, body, headers).status == 400, body
    assert stored(sessions) == {}


def test_a_parameter_that_stands_there_twice_is_refused(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    # The signature is that of the form with it once: names and values are a set to Twilio.
    body = urlencode([*DELIVERED.items(), ("MessageStatus", "delivered")]).encode()
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(STATUS, DELIVERED)}
    assert caller.post(STATUS, body, headers).status == 400
    assert stored(sessions) == {}


def test_another_kind_of_body_is_refused(caller: Caller) -> None:
    for media_type in ("application/json", "multipart/form-data; boundary=x", ""):
        headers = {"Content-Type": media_type, "X-Twilio-Signature": signature(STATUS, DELIVERED)}
        assert caller.post(STATUS, urlencode(DELIVERED).encode(), headers).status == 415, media_type


def test_what_is_too_large_is_refused(caller: Caller, sessions: sessionmaker[Session]) -> None:
    fits = {"MessageSid": SID, "Body": "é" * ((TwilioStatus.body_limit - 100) // 6)}
    assert caller.post_form(INBOUND, fits).status == 200
    huge = {"MessageSid": SID, "Body": "é" * (TwilioStatus.body_limit // 6)}
    assert caller.post_form(INBOUND, huge).status == 413
    assert stored(sessions) == {f"{SID}:inbound": fits}


def test_a_character_that_no_database_holds_loses_no_message(
    caller: Caller, sessions: sessionmaker[Session]
) -> None:
    assert caller.post_form(INBOUND, ARRET | {"Body": "a\0b"}).status == 200
    assert stored(sessions)[f"{SID}:inbound"]["Body"] == "ab"
