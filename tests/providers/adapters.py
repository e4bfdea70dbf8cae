"""The adapters that the conformance suite runs, each behind the same few questions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from providers.base import EmailMessage
from providers.sendgrid import SendGridEmail
from tests.providers.stub import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from providers.base import Receipt
    from providers.transport import PooledTransport

RECIPIENT = "camille.durand@example.com"


class AdapterCase(Protocol):
    """One adapter: how to make it and use it, and how its provider speaks."""

    name: str

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> Any: ...

    def send(self, adapter: Any, token: UUID) -> Receipt: ...

    def accepted(self, message_id: str) -> Reply: ...

    def refused(self) -> Reply:
        """A refusal of this message for good, which echoes the recipient."""

    def key_in(self, request: Request) -> str: ...

    def token_in(self, request: Request) -> str: ...


def email(token: UUID, **changed: str) -> EmailMessage:
    fields = {
        "recipient": RECIPIENT,
        "subject": "Votre dossier est complet",
        "html": "<p>Été</p>",
        "text": "Été",
        "category": "DOSSIER_COMPLETE",
        **changed,
    }
    return EmailMessage(token=token, **fields)


class SendGridCase:
    name = "sendgrid"

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> SendGridEmail:
        return SendGridEmail(key, url, "Partners VRAI <bonjour@example.com>", transport, now=now)

    def send(self, adapter: SendGridEmail, token: UUID) -> Receipt:
        return adapter.send(email(token))

    def accepted(self, message_id: str) -> Reply:
        return Reply(202, {"X-Message-Id": message_id})

    def refused(self) -> Reply:
        error = {
            "message": f"Does not contain a valid address: {RECIPIENT}.",
            "field": "personalizations.0.to.0.email",
            "help": None,
        }
        return Reply(400, {"Content-Type": "application/json"}, json.dumps({"errors": [error]}).encode())

    def key_in(self, request: Request) -> str:
        return request.headers["authorization"].removeprefix("Bearer ")

    def token_in(self, request: Request) -> str:
        token: str = json.loads(request.body)["custom_args"]["attempt"]
        return token


CASES: tuple[AdapterCase, ...] = (SendGridCase(),)
