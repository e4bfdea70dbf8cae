"""The event webhook, checked by SendGrid's own verifier."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader

from workers.dev.sandbox.sendgrid_events import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    from tests.sandbox.conftest import Ingress
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.state import SandboxSettings

    MakeMail = Callable[..., Mail]
    WaitFor = Callable[..., Any]


@pytest.fixture
def settings(settings: SandboxSettings, ingress: Ingress) -> SandboxSettings:
    return dataclasses.replace(settings, webhook_url=ingress.url)


def test_an_accepted_mail_is_processed_and_delivered(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    message_id = sendgrid.send(mail(token="t-42")).headers["X-Message-Id"]
    processed, delivered = wait_for(ingress.events)

    assert (processed["event"], delivered["event"]) == ("processed", "delivered")
    assert processed["sg_event_id"] != delivered["sg_event_id"]
    for event in (processed, delivered):
        assert event["email"] == "marie@example.com"
        assert isinstance(event["timestamp"], int)
        assert event["sg_message_id"].startswith(f"{message_id}.recvd-")
        assert event["token"] == "t-42"
        assert event["category"] == ["dossier_opened"]
    wait_for(lambda: sandbox.messages()[0].callbacks == "delivered")


def test_events_are_signed_as_sendgrid_signs(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    sendgrid.send(mail())
    headers, body = wait_for(lambda: ingress.heard)[0]
    signature = headers[EventWebhookHeader.SIGNATURE.lower()]
    timestamp = headers[EventWebhookHeader.TIMESTAMP.lower()]
    verifier = EventWebhook(sandbox.public_key())
    assert verifier.verify_signature(body.decode(), signature, timestamp)
    assert not verifier.verify_signature(body.decode() + " ", signature, timestamp)
    assert not verifier.verify_signature(body.decode(), signature, str(int(timestamp) + 1))


def test_refused_events_come_again_with_the_same_ids(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    ingress.answers.extend([500, 301])
    sendgrid.send(mail())
    wait_for(lambda: len(ingress.heard) == 3)
    assert len({body for _, body in ingress.heard}) == 1
    wait_for(lambda: sandbox.messages()[0].callbacks == "delivered")


def test_events_reach_an_ingress_that_starts_late(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    with socket.socket() as nobody:  # bound and not listening: refuses connections
        nobody.bind(("127.0.0.1", 0))
        sandbox.set_webhook_url(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        sendgrid.send(mail())
        wait_for(lambda: sandbox.messages()[0].callbacks == "retrying")
        sandbox.set_webhook_url(ingress.url)
    wait_for(lambda: len(ingress.events()) == 2)


def test_held_events_wait_and_then_come_in_batches(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.hold_webhooks()
    assert not sandbox.settings().webhooks
    for number in range(60):
        sendgrid.send(mail(token=f"t-{number}"))
    assert ingress.heard == []
    assert {message.callbacks for message in sandbox.messages()} == {"waiting"}

    sandbox.release_webhooks()
    wait_for(lambda: len(ingress.events()) == 120)
    assert [len(json.loads(body)) for _, body in ingress.heard] == [100, 20]
    assert len({event["sg_event_id"] for event in ingress.events()}) == 120
    assert len({event["token"] for event in ingress.events()}) == 60


def test_a_mail_whose_answer_was_lost_has_events_too(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.fault("drop_after")
    with pytest.raises((http.client.HTTPException, ConnectionError, URLError)):
        sendgrid.send(mail(token="t-lost"))
    assert [event["token"] for event in wait_for(ingress.events)] == ["t-lost", "t-lost"]


def test_an_argument_named_like_a_field_replaces_nothing(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    del sandbox
    body = mail().get() | {"custom_args": {"event": "spamreport", "token": "t-1"}}
    sendgrid.client.mail.send.post(request_body=body)
    assert [event["event"] for event in wait_for(ingress.events)] == ["processed", "delivered"]


def test_without_a_url_nothing_is_said(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.set_webhook_url("")
    sendgrid.send(mail())
    assert sandbox.messages()[0].callbacks == "none"


def test_the_known_key_signs_as_the_sdk_checks() -> None:
    signer = Signer()
    headers = signer.headers(b"[]", 1_700_000_000)
    assert EventWebhook(signer.public_key).verify_signature(
        "[]", headers[EventWebhookHeader.SIGNATURE], headers[EventWebhookHeader.TIMESTAMP]
    )
