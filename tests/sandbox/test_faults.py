"""Each fault, as SendGrid's own SDK sees it, against what was accepted."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal
from urllib.error import URLError

import pytest
from python_http_client.exceptions import (
    InternalServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    from workers.dev.sandbox.client import SandboxClient

    MakeMail = Callable[..., Mail]

LOST = (http.client.HTTPException, ConnectionError, URLError)


@pytest.mark.parametrize("kind", ["drop_after", "garbage"])
def test_a_lost_answer_hides_an_accepted_mail(
    sandbox: SandboxClient,
    sendgrid: SendGridAPIClient,
    mail: MakeMail,
    kind: Literal["drop_after", "garbage"],
) -> None:
    sandbox.fault(kind)
    with pytest.raises(LOST):
        sendgrid.send(mail())
    assert len(sandbox.messages()) == 1
    assert sandbox.stats().faults == {kind: 1}
    assert sendgrid.send(mail()).status_code == 202


def test_a_cut_answer_has_lost_the_id(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("truncate")
    answer = sendgrid.send(mail())
    assert (
        answer.status_code == 202
    )  # Python's http.client takes the end of the line for the end of the headers
    assert answer.headers["X-Message-Id"] is None
    assert len(sandbox.messages()) == 1


def test_a_connection_dropped_before_acceptance_leaves_nothing(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("drop_before", count=2)
    for _ in range(2):
        with pytest.raises(LOST):
            sendgrid.send(mail())
    assert sandbox.messages() == []
    assert sendgrid.send(mail()).status_code == 202
    assert sandbox.stats().accepted == 1


def test_a_status_is_answered_for_as_many_requests_as_asked(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("status", status=503, count=2)
    sandbox.fault("status", status=500)
    sandbox.fault("status", status=401)
    for expected in (
        ServiceUnavailableError,
        ServiceUnavailableError,
        InternalServerError,
        UnauthorizedError,
    ):
        with pytest.raises(expected):
            sendgrid.send(mail())
    assert sendgrid.send(mail()).status_code == 202
    assert sandbox.stats().refused == {"503": 2, "500": 1, "401": 1}
    assert len(sandbox.messages()) == 1


def test_too_many_requests_says_when_to_come_back(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("status", status=429, retry_after=2)
    with pytest.raises(TooManyRequestsError) as refusal:
        sendgrid.send(mail())
    assert json.loads(refusal.value.body) == {"errors": [{"field": None, "message": "too many requests"}]}
    headers = refusal.value.headers
    assert headers["Retry-After"] == "2"
    assert int(headers["X-RateLimit-Limit"]) > 0
    assert headers["X-RateLimit-Remaining"] == "0"
    assert 0 <= int(headers["X-RateLimit-Reset"]) - time.time() + 1 <= 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_answer_still_comes(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail, when: Literal["before", "after"]
) -> None:
    sandbox.fault("slow", seconds=0.3, when=when)
    started = time.monotonic()
    assert sendgrid.send(mail()).status_code == 202
    assert time.monotonic() - started >= 0.3
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_who_gives_up_on_a_slow_answer_has_sent_only_what_was_accepted(
    sandbox: SandboxClient,
    sendgrid: SendGridAPIClient,
    mail: MakeMail,
    when: Literal["before", "after"],
    accepted: int,
) -> None:
    sandbox.fault("slow", seconds=0.6, when=when)
    sendgrid.client.timeout = 0.2
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        sendgrid.send(mail())
    sandbox.set_latency(max(0.0, started + 0.7 - time.monotonic()))
    sendgrid.client.timeout = 10
    sendgrid.send(mail(to="later@example.com"))  # its answer comes after the slow one's time
    assert len(sandbox.messages(to="marie")) == accepted


def test_a_fault_waits_for_the_recipient_it_is_meant_for(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("status", status=500, to="paul@")
    assert sendgrid.send(mail(to="marie@example.com")).status_code == 202
    assert [active.remaining for active in sandbox.faults()] == [1]
    with pytest.raises(InternalServerError):
        sendgrid.send(mail(to="paul@example.com"))
    assert sandbox.faults() == []
    assert sendgrid.send(mail(to="paul@example.com")).status_code == 202


def test_a_refused_request_uses_no_fault_up(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.fault("drop_before")
    sandbox.set_key("SG.another")
    with pytest.raises(UnauthorizedError):
        sendgrid.send(mail())
    assert len(sandbox.faults()) == 1
    sandbox.clear_faults()
    sandbox.set_key("SG.made-up")
    assert sendgrid.send(mail()).status_code == 202


def test_latency_holds_for_many_at_once(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: MakeMail
) -> None:
    sandbox.set_latency(0.3)
    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers: list[Future[object]] = [pool.submit(sendgrid.send, mail()) for _ in range(20)]
    assert all(answer.result() for answer in answers)
    assert 0.3 <= time.monotonic() - started < 20 * 0.3
    assert len(sandbox.messages()) == 20
