"""What Twilio posts, checked by its own validator."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from tests.sandbox.conftest import ACCOUNT, OURS, TOKEN
from workers.dev.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

    Send = Callable[..., Any]
    WaitFor = Callable[..., Any]

PHONE = "+33639981234"


@pytest.fixture
def settings(settings: SandboxSettings, ingress: Ingress) -> SandboxSettings:
    return dataclasses.replace(settings, inbound_url=f"{ingress.base}/webhooks/twilio/inbound")


def told(ingress: Ingress) -> list[str]:
    return [form["MessageStatus"] for form in ingress.forms()]


def is_genuine(ingress: Ingress, index: int, form: dict[str, str]) -> bool:
    signature = ingress.heard[index][0]["x-twilio-signature"]
    url = ingress.base + ingress.paths[index]
    return bool(RequestValidator(TOKEN).validate(url, form, signature))


def test_an_sms_is_queued_sent_and_delivered(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    sid = send(status_callback=ingress.callback("t-42")).sid
    wait_for(lambda: len(ingress.heard) == 3)
    assert told(ingress) == ["queued", "sent", "delivered"]
    assert set(ingress.paths) == {"/webhooks/twilio/status?attempt=t-42"}
    for index, form in enumerate(ingress.forms()):
        assert is_genuine(ingress, index, form)
        assert not is_genuine(ingress, index, form | {"MessageStatus": "read"})
        assert form["MessageSid"] == form["SmsSid"] == sid
        assert form["SmsStatus"] == form["MessageStatus"]
        assert (form["To"], form["From"], form["AccountSid"]) == (PHONE, OURS, ACCOUNT)
        assert form["ApiVersion"] == "2010-04-01"
        assert "ErrorCode" not in form
    wait_for(lambda: sandbox.phone_message(sid).callbacks == "delivered")


def test_a_whatsapp_message_is_read_as_well(send: Send, ingress: Ingress, wait_for: WaitFor) -> None:
    send(whatsapp=True, status_callback=ingress.callback())
    wait_for(lambda: len(ingress.heard) == 4)
    assert told(ingress) == ["queued", "sent", "delivered", "read"]
    last = ingress.forms()[-1]
    assert (last["To"], last["From"]) == (f"whatsapp:{PHONE}", f"whatsapp:{OURS}")
    assert (last["EventType"], last["ChannelPrefix"]) == ("READ", "whatsapp")


@pytest.mark.parametrize(
    ("fragment", "answers", "heard"),
    [
        ("", [500], 3),  # Twilio's own policy is to try again what could not connect
        ("#rc=1&rp=5xx", [500], 4),
        ("#rc=2&rp=ct,rt,5xx", [500, 204, 204, 500], 5),
        ("#rc=2&rp=5xx", [403], 3),
        ("#rc=0&rp=all", [500], 3),
        ("#rp=all", [403], 4),
    ],
)
def test_a_callback_is_tried_again_as_its_address_asks(
    send: Send, ingress: Ingress, wait_for: WaitFor, fragment: str, answers: list[int], heard: int
) -> None:
    ingress.answers.extend(answers)
    send(status_callback=ingress.callback("t-1", fragment))
    wait_for(lambda: len(ingress.heard) == heard)
    assert all(is_genuine(ingress, index, form) for index, form in enumerate(ingress.forms()))
    assert set(told(ingress)) == {"queued", "sent", "delivered"}


def test_states_go_on_while_callbacks_are_held(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.hold_webhooks()
    sid = send(status_callback=ingress.callback()).sid
    wait_for(lambda: sandbox.phone_message(sid).status == "delivered")
    assert ingress.heard == []
    sandbox.release_webhooks()
    wait_for(lambda: told(ingress) == ["queued", "sent", "delivered"])


def test_an_answer_from_the_phone_is_posted(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    with pytest.raises(SandboxError, match="nobody has written"):
        sandbox.reply(PHONE, "Bonjour")
    send(whatsapp=True)
    reply = sandbox.reply(PHONE, "Arrêt, s’il vous plaît")
    [form] = wait_for(ingress.forms)
    assert ingress.paths == ["/webhooks/twilio/inbound"]
    assert is_genuine(ingress, 0, form)
    assert form["MessageSid"] == form["SmsMessageSid"] == reply.sid
    assert (form["From"], form["To"]) == (f"whatsapp:{PHONE}", f"whatsapp:{OURS}")
    assert (form["Body"], form["NumMedia"], form["SmsStatus"]) == ("Arrêt, s’il vous plaît", "0", "received")
    assert form["WaId"] == PHONE.removeprefix("+")
    assert "OptOutType" not in form


def test_stop_is_heard_by_the_sandbox_and_start_lifts_it(
    sandbox: SandboxClient, send: Send, ingress: Ingress, wait_for: WaitFor
) -> None:
    send()
    for harmless in ("STOP please", "ARRET"):
        sandbox.reply(PHONE, harmless)
        send()
    sandbox.reply(PHONE, " stop ")
    with pytest.raises(TwilioRestException) as refusal:
        send()
    assert (refusal.value.status, refusal.value.code) == (400, 21610)
    send(whatsapp=True)
    send("+33639981235")
    sandbox.reply(PHONE, "START", channel="sms")
    send()
    wait_for(lambda: len(ingress.heard) == 4)
    assert {form["Body"] for form in ingress.forms()} == {"STOP please", "ARRET", " stop ", "START"}
    assert all("FromCountry" in form for form in ingress.forms())
