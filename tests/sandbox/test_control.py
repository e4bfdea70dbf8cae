"""The control API and its client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import urllib3

from workers.dev.sandbox.client import SandboxClient, SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    MakeMail = Callable[..., Mail]


def test_messages_are_filtered_by_recipient_and_by_token(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sendgrid.send(mail(to="marie@example.com", token="t-1"))
    sendgrid.send(mail(to="paul@example.com", token="t-2"))
    assert [message.recipient for message in sandbox.messages()] == ["marie@example.com", "paul@example.com"]
    assert [message.recipient for message in sandbox.messages(to="paul")] == ["paul@example.com"]
    assert [message.recipient for message in sandbox.messages(token="t-1")] == ["marie@example.com"]
    assert sandbox.messages(to="paul", token="t-1") == []
    sandbox.clear()
    assert sandbox.messages() == []
    assert sandbox.stats().accepted == 2
    assert sandbox.stats().channels == {"email": 2}


def test_the_store_forgets_the_oldest(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    first = sendgrid.send(mail()).headers["X-Message-Id"]
    for _ in range(50):
        sendgrid.send(mail())
    assert len(sandbox.messages()) == 50
    with pytest.raises(SandboxError, match="404"):
        sandbox.message(first)


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "faults", {"kind": "slow", "second": 1}, "second: no such field; there are kind, count, to"),
        ("POST", "faults", {"kind": "sloow"}, "kind: Input should be 'slow'"),
        ("POST", "faults", {"kind": "slow", "seconds": 1}, "a fault of kind slow needs when"),
        ("POST", "faults", {"kind": "status"}, "a fault of kind status needs status"),
        ("POST", "faults", {"kind": "garbage", "status": 500}, "a fault of kind garbage has no status"),
        ("POST", "faults", {"kind": "garbage", "count": 0}, "count: Input should be greater than"),
        ("POST", "faults", [], "Input should be an object"),
        ("PATCH", "settings", {"speed": 9}, "speed: no such field; there are api_key, latency, webhooks"),
        ("PATCH", "settings", {"latency": "fast"}, "latency: Input should be a valid number"),
        ("PATCH", "settings", {"latency": -1}, "latency: Input should be greater than or equal to 0"),
        ("PATCH", "settings", {"api_key": None}, "api_key: Input should be a valid string"),
        ("PATCH", "settings", {"webhook_url": "nowhere"}, "webhook_url: String should match"),
        ("PATCH", "settings", {"account_sid": "AC1"}, "account_sid: String should match"),
        ("POST", "behaviours", {"to": "a", "does": "dance"}, "does: Input should be 'deliver'"),
        ("POST", "behaviours", {"to": "a", "does": "fail"}, "to fail needs code"),
        ("POST", "behaviours", {"to": "a", "does": "read", "code": 1}, "to read has no code"),
        ("POST", "phones/replies", {"number": "+33639981234"}, "body: Field required"),
        (
            "POST",
            "phones/replies",
            {"number": "+33639981234", "body": "a"},
            "nobody has written to this phone",
        ),
        (
            "GET",
            "phones/messages?recipient=marie",
            None,
            "no such filter; there are number, to, from, channel",
        ),
        ("GET", "messages?recipient=marie", None, "recipient: no such filter; there are to and token"),
    ],
)
def test_what_is_unknown_or_wrong_is_refused_and_named(
    sandbox: SandboxClient, method: str, path: str, body: object, words: str
) -> None:
    before = sandbox.settings()
    answer = urllib3.request(
        method, f"{sandbox.base_url}/sandbox/api/{path}", body=json.dumps(body), retries=False
    )
    assert answer.status == 400
    assert words in answer.json()["error"]
    assert sandbox.faults() == []
    assert sandbox.settings() == before


def test_settings_change_one_by_one(sandbox: SandboxClient) -> None:
    before = sandbox.settings()
    assert before.webhooks
    sandbox.set_latency(0.01)
    sandbox.set_webhook_url("http://127.0.0.1:9/")
    after = sandbox.settings()
    assert (after.latency, after.webhook_url) == (0.01, "http://127.0.0.1:9/")
    assert (after.api_key, after.webhooks, after.public_key) == (
        before.api_key,
        before.webhooks,
        before.public_key,
    )


def test_waiting_for_a_sandbox_that_never_comes_ends() -> None:
    with (
        SandboxClient("http://127.0.0.1:9") as client,
        pytest.raises(SandboxError, match="no sandbox answers"),
    ):
        client.wait_until_ready(0.1)
