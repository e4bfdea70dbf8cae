"""What SendGrid's events say of an e-mail, by the address that it goes to."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest

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


@pytest.mark.parametrize(
    ("tag", "events", "last"),
    [
        ("bounce", ["processed", "bounce"], {"type": "bounce", "status": "5.1.1"}),
        ("block", ["processed", "bounce"], {"type": "blocked"}),
        ("drop", ["dropped"], {"reason": "Bounced Address"}),
        ("defer", ["processed", "deferred", "delivered"], {"response": "250 OK"}),
        ("open", ["processed", "delivered", "open"], {"sg_machine_open": False}),
        ("click", ["processed", "delivered", "open", "click"], {"url": "https://example.com/"}),
        ("spam", ["processed", "delivered", "spamreport"], {}),
        ("unsubscribe", ["processed", "delivered", "unsubscribe"], {}),
        ("other", ["processed", "delivered"], {}),
    ],
)
def test_a_tag_in_the_address_says_what_becomes_of_the_mail(
    sendgrid: SendGridAPIClient,
    mail: MakeMail,
    ingress: Ingress,
    wait_for: WaitFor,
    tag: str,
    events: list[str],
    last: dict[str, Any],
) -> None:
    sendgrid.send(mail(to=f"marie+{tag}@example.com", token="t-7"))
    heard = wait_for(ingress.events)
    assert [event["event"] for event in heard] == events
    assert heard[-1].items() >= {"token": "t-7", **last}.items()
    assert len({event["sg_event_id"] for event in heard}) == len(events)


def test_the_control_api_says_it_too(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, ingress: Ingress, wait_for: WaitFor
) -> None:
    sandbox.behave("marie@example.com", "silent", count=1)
    sandbox.behave("paul@example.com", "late", seconds=0.3)
    started = time.monotonic()
    sendgrid.send(mail(to="marie@example.com", token="silent"))
    sendgrid.send(mail(to="paul@example.com", token="late"))
    sendgrid.send(mail(to="marie@example.com", token="usual"))
    wait_for(lambda: len(ingress.events()) == 4)
    assert time.monotonic() - started >= 0.3
    assert [event["token"] for event in ingress.events()] == ["usual", "usual", "late", "late"]
    assert sandbox.messages()[0].callbacks == "none"
