"""SendGrid forgets an address's mails when it is asked to, by its own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from python_http_client.exceptions import BadRequestsError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    from workers.dev.sandbox.client import SandboxClient


def test_an_address_is_forgotten(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    sendgrid.send(mail())
    (kept,) = sandbox.messages()
    erase = sendgrid.client.recipients.erasejob
    erase.post(request_body={"email_addresses": ["nobody@example.com"]})
    assert [message.id for message in sandbox.messages()] == [kept.id]
    answer = erase.post(request_body={"email_addresses": [kept.recipient.upper()]})
    assert (answer.status_code, b"job_id" in answer.body) == (202, True)
    assert sandbox.messages() == []


@pytest.mark.parametrize("body", [[], {}, {"email_addresses": []}, {"email_addresses": [7]}])
def test_what_is_no_list_of_addresses(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, body: object
) -> None:
    del sandbox
    with pytest.raises(BadRequestsError):
        sendgrid.client.recipients.erasejob.post(request_body=body)


def test_a_wrong_key(sandbox: SandboxClient, sendgrid: SendGridAPIClient) -> None:
    sandbox.set_key("SG.another")
    with pytest.raises(UnauthorizedError):
        sendgrid.client.recipients.erasejob.post(request_body={"email_addresses": ["a@example.com"]})
