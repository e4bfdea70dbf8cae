"""What becomes of messages by whom they go to, templates, the 24 hours, and faults as the SDK sees them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException

from tests.sandbox.conftest import OURS
from workers.dev.sandbox.phones import PhoneMessage, Phones

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio.rest import Client

    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient

    Send = Callable[..., Any]
    WaitFor = Callable[..., Any]

PHONE = "+33639981234"
CONTENT = f"HX{'a' * 32}"


@pytest.mark.parametrize(
    ("ending", "channel", "code"),
    [
        ("9903", "whatsapp", 63003),
        ("9908", "sms", 21408),
        ("9910", "sms", 21610),
        ("9911", "whatsapp", 21211),
    ],
)
def test_a_number_is_refused_by_its_ending(
    sandbox: SandboxClient, send: Send, ending: str, channel: str, code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        send(f"+3363998{ending}", whatsapp=channel == "whatsapp")
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert sandbox.phone_messages() == []


def test_a_code_of_one_channel_leaves_the_other_alone(send: Send) -> None:
    send("+33639989903", whatsapp=False)
    send("+33639989908", whatsapp=True)


@pytest.mark.parametrize(
    ("ending", "channel", "states", "code"),
    [
        ("9924", "whatsapp", ["queued", "sent", "undelivered"], "63024"),
        ("9930", "sms", ["queued", "sent", "undelivered"], "30003"),
        ("9936", "sms", ["queued", "failed"], "30036"),
        ("9950", "sms", ["queued", "sent"], None),
        ("9953", "whatsapp", ["queued", "sent"], None),
    ],
)
def test_a_number_fails_or_gets_stuck_by_its_ending(
    sandbox: SandboxClient,
    twilio: Client,
    send: Send,
    ingress: Ingress,
    wait_for: WaitFor,
    ending: str,
    channel: str,
    states: list[str],
    code: str | None,
) -> None:
    sid = send(f"+3363998{ending}", whatsapp=channel == "whatsapp", status_callback=ingress.callback()).sid
    wait_for(lambda: len(ingress.heard) == len(states))
    last = ingress.forms()[-1]
    assert [form["MessageStatus"] for form in ingress.forms()] == states
    assert last.get("ErrorCode") == code
    message = twilio.messages(sid).fetch()
    assert message.error_code == (None if code is None else int(code))
    assert (message.price is None) == (states[-1] == "failed")
    assert sandbox.phone_message(sid).status == states[-1]


def test_the_control_api_says_what_becomes_of_messages_and_for_how_many(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.behave(PHONE, "refuse", code=63003, channel="whatsapp", count=1)
    assert [each.remaining for each in sandbox.behaviours()] == [1]
    send()
    with pytest.raises(TwilioRestException):
        send(whatsapp=True)
    assert sandbox.behaviours() == []
    send(whatsapp=True)

    sandbox.behave(PHONE, "silent")
    sid = send(status_callback=ingress.callback()).sid
    wait_for(lambda: sandbox.phone_message(sid).status == "delivered")
    assert (ingress.heard, sandbox.phone_message(sid).callbacks) == ([], "none")
    sandbox.clear_behaviours()
    sandbox.behave("+33639989950", "deliver")  # goes before what the number says
    send("+33639989950", status_callback=ingress.callback())
    wait_for(lambda: len(ingress.heard) == 3)


def test_a_late_message_is_told_of_late(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.behave(PHONE, "late", seconds=0.3)
    started = time.monotonic()
    send(status_callback=ingress.callback())
    assert ingress.heard == []
    wait_for(lambda: len(ingress.heard) == 3)
    assert time.monotonic() - started >= 0.3


def test_a_message_that_waits_longer_than_it_may_expires(
    sandbox: SandboxClient, send: Send, wait_for: WaitFor
) -> None:
    sandbox.behave(PHONE, "late", seconds=600)
    sid = send(validity_period=1).sid
    wait_for(lambda: sandbox.phone_message(sid).error_code == 30036)
    assert sandbox.phone_message(sid).status == "failed"


def test_free_text_reaches_whatsapp_only_within_the_window(
    sandbox: SandboxClient, twilio: Client, send: Send, wait_for: WaitFor
) -> None:
    sandbox.change(whatsapp_window=True)

    def outcome(**message: Any) -> tuple[str, int | None]:
        sid = send(whatsapp=True, **message).sid
        wait_for(lambda: sandbox.phone_message(sid).status in {"read", "undelivered"})
        found = twilio.messages(sid).fetch()
        return str(found.status), found.error_code

    assert outcome() == ("undelivered", 63016)
    assert outcome(body=None, content_sid=CONTENT, content_variables='{"1": "Marie"}') == ("read", None)
    sandbox.reply(PHONE, "Bonjour")
    assert outcome() == ("read", None)


def test_the_window_closes_after_a_day() -> None:
    phones, then = Phones(10), datetime(2026, 11, 21, 12, tzinfo=UTC)
    phones.hear(
        PhoneMessage("SM1", "whatsapp", True, PHONE, OURS, "Bonjour", 1, then, then, "received")  # noqa: FBT003
    )
    assert phones.in_window(OURS, PHONE, then + timedelta(hours=23, minutes=59))
    assert not phones.in_window(OURS, PHONE, then + timedelta(hours=24))
    assert not phones.in_window("+33639980099", PHONE, then)


def test_a_template_is_filled_in_where_its_words_are_known(sandbox: SandboxClient, send: Send) -> None:
    template = {"content_sid": CONTENT, "content_variables": '{"1": "Marie", "2": "un passeport"}'}
    send(whatsapp=True, body=None, **template)
    sandbox.change(templates={CONTENT: "Bonjour {{1}}, il manque {{2}}."})
    send(whatsapp=True, body=None, **template)
    unknown, known = sandbox.phone_messages()
    assert (known.content_sid, known.variables) == (CONTENT, {"1": "Marie", "2": "un passeport"})
    assert (unknown.body, known.body) == ("Marie · un passeport", "Bonjour Marie, il manque un passeport.")
    with pytest.raises(TwilioRestException) as refusal:
        send(whatsapp=True, body=None, content_sid=f"HX{'b' * 32}")
    assert refusal.value.code == 21655


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate", "garbage"])
def test_a_lost_answer_hides_what_was_accepted(
    sandbox: SandboxClient,
    send: Send,
    kind: Literal["drop_before", "drop_after", "truncate", "garbage"],
) -> None:
    sandbox.fault(kind, to="whatsapp:")
    send()
    sandbox.clear()
    with pytest.raises(requests.RequestException):
        send(whatsapp=True)
    assert len(sandbox.phone_messages()) == (0 if kind == "drop_before" else 1)
    assert sandbox.faults() == []


@pytest.mark.parametrize(
    ("status", "retry_after", "code"),
    [(429, 7, 20429), (500, None, 20500), (503, 1, 20503), (401, None, 20003)],
)
def test_a_status_is_answered_as_twilio_words_it(
    sandbox: SandboxClient,
    twilio: Client,
    send: Send,
    status: int,
    retry_after: int | None,
    code: int,
) -> None:
    sandbox.fault("status", status=status, retry_after=retry_after)
    with pytest.raises(TwilioRestException) as refusal:
        send()
    assert (refusal.value.status, refusal.value.code) == (status, code)
    headers = twilio.http_client._test_only_last_response.headers
    assert headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert sandbox.phone_messages() == []


def test_one_request_in_so_many_meets_a_fault(sandbox: SandboxClient, send: Send) -> None:
    sandbox.fault("drop_after", count=2, every=3)
    lost = []
    for number in range(8):
        try:
            send()
        except requests.RequestException:
            lost.append(number)
    assert lost == [2, 5]
    assert sandbox.stats().accepted == 8


def test_a_look_meets_the_faults_that_are_set_for_looks(
    sandbox: SandboxClient, twilio: Client, send: Send
) -> None:
    sandbox.fault("status", status=503, request="look", count=2)
    sid = send().sid
    with pytest.raises(TwilioRestException) as refusal:
        twilio.messages(sid).fetch()
    assert refusal.value.status == 503
    with pytest.raises(TwilioException):
        twilio.messages.list(to=PHONE)
    assert twilio.messages(sid).fetch().sid == sid


def test_a_number_meets_faults_by_its_ending(sandbox: SandboxClient, send: Send) -> None:
    for _ in range(2):
        with pytest.raises(TwilioRestException):
            send("+33639989960")
        with pytest.raises(requests.RequestException):
            send("+33639989964")
    assert [message.to for message in sandbox.phone_messages()] == ["+33639989964"] * 2
