"""What a key may do, asked by the vendors' own SDKs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from python_http_client.exceptions import UnauthorizedError
from twilio.base.exceptions import TwilioRestException

from tests.sandbox.conftest import ACCOUNT

if TYPE_CHECKING:
    from sendgrid import SendGridAPIClient
    from twilio.rest import Client

    from workers.dev.sandbox.client import SandboxClient


def test_the_scopes_of_a_key(sandbox: SandboxClient, sendgrid: SendGridAPIClient) -> None:
    assert "mail.send" in json.loads(sendgrid.client.scopes.get().body)["scopes"]
    sandbox.set_key("SG.another")
    with pytest.raises(UnauthorizedError):
        sendgrid.client.scopes.get()


def test_the_account_of_a_token(sandbox: SandboxClient, twilio: Client) -> None:
    account = twilio.api.v2010.accounts(ACCOUNT)
    found = account.fetch()
    assert (found.sid, found.status, found.type, found.date_created.year) == (ACCOUNT, "active", "Full", 2026)
    sandbox.change(auth_token="another")
    with pytest.raises(TwilioRestException) as refused:
        account.fetch()
    assert refused.value.code == 20003
