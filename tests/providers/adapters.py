"""The adapters that the conformance suite runs, each behind the same few questions."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from providers.base import EmailMessage, PhoneMessage
from providers.errors import (
    Ambiguous,
    Misconfigured,
    ProviderError,
    RateLimited,
    Rejected,
    Suppressed,
    Transient,
    Undeliverable,
)
from providers.payments import NewCheckout
from providers.sendgrid import SendGridEmail
from providers.stripe import StripePayments
from providers.twilio import TwilioMessages, TwilioSender
from providers.twilio_http import TwilioAccount
from providers.twilio_lookup import TwilioLookup
from tests.providers.stub import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from providers.transport import PooledTransport

RECIPIENT = "camille.durand@example.com"
NUMBER = "+33639980001"
SENDER = "+33639980099"
ACCOUNT_SID = "AC" + "0" * 32
PUBLIC_URL = "https://fleet.example.com"

Kind = type[ProviderError]


class AdapterCase(Protocol):
    """One adapter: how to make it and use it, and how its provider speaks.

    ``answers`` are the provider's ways to say no, by the kind that each is; they echo the recipient.
    ``statuses`` are the kinds of answers without any explanation. ``lost`` is the kind of no whole answer.
    ``pause`` is how long a rate limit without a word about it holds, in seconds.
    """

    name: str
    recipient: str
    lost: Kind
    pause: float

    @property
    def answers(self) -> Mapping[Kind, Reply]: ...

    @property
    def statuses(self) -> Mapping[int, Kind]: ...

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> Any: ...

    def send(self, adapter: Any, token: UUID) -> Any:
        """Send, or ask; the result has a ``message_id``."""

    def accepted(self, message_id: str) -> Reply: ...

    def key_in(self, request: Request) -> str: ...

    def token_in(self, request: Request) -> str: ...


def email(token: UUID, **changed: Any) -> EmailMessage:
    fields: dict[str, Any] = {
        "recipient": RECIPIENT,
        "subject": "Votre dossier est complet",
        "html": "<p>Été</p>",
        "text": "Été",
        "category": "DOSSIER_COMPLETE",
        **changed,
    }
    return EmailMessage(token=token, **fields)


def text(token: UUID, **changed: Any) -> PhoneMessage:
    fields = {"recipient": NUMBER, "body": "Été à 5 € & plus", "validity_seconds": 600, **changed}
    return PhoneMessage(token=token, **fields)


def told(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(body).encode())


def no(status: int, code: int, message: str) -> Reply:
    """Twilio's usual refusal."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return told(status, {"code": code, "message": message, "more_info": more, "status": status})


_STATUSES: dict[int, Kind] = {
    301: Misconfigured,
    307: Misconfigured,
    401: Misconfigured,
    403: Misconfigured,
    404: Misconfigured,
    503: Transient,
}


class SendGridCase:
    name = "sendgrid"
    recipient = RECIPIENT
    lost: Kind = Ambiguous
    pause = 30.0

    @property
    def answers(self) -> dict[Kind, Reply]:
        def says(status: int, message: str, field: str | None = None) -> Reply:
            return told(status, {"errors": [{"message": message, "field": field, "help": None}]})

        return {
            Rejected: says(
                400, f"Does not contain a valid address: {RECIPIENT}.", "personalizations.0.to.0.email"
            ),
            Misconfigured: says(401, f"authorization required, {RECIPIENT}"),
            RateLimited: says(429, f"too many requests, {RECIPIENT}"),
            Transient: says(500, f"no luck with {RECIPIENT}"),
        }

    @property
    def statuses(self) -> dict[int, Kind]:
        return {**_STATUSES, 418: Rejected, 500: Transient, 502: Transient, 599: Transient}

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> SendGridEmail:
        return SendGridEmail(key, url, "Partners VRAI <bonjour@example.com>", transport, now=now)

    def send(self, adapter: SendGridEmail, token: UUID) -> Any:
        return adapter.send(email(token))

    def accepted(self, message_id: str) -> Reply:
        return Reply(202, {"X-Message-Id": message_id})

    def key_in(self, request: Request) -> str:
        return request.headers["authorization"].removeprefix("Bearer ")

    def token_in(self, request: Request) -> str:
        token: str = json.loads(request.body)["personalizations"][0]["custom_args"]["attempt"]
        return token


class TwilioCase:
    recipient = NUMBER
    lost: Kind = Ambiguous
    pause = 5.0

    def __init__(self, channel: str, unlisted: Kind) -> None:
        self.name = f"twilio-{channel.lower()}"
        self.sender = TwilioSender(channel, SENDER)
        self.unlisted = unlisted

    @property
    def answers(self) -> dict[Kind, Reply]:
        return {
            Rejected: no(400, 21211, f"The 'To' number {NUMBER} is not a valid phone number"),
            Suppressed: no(400, 21610, f"Attempt to send to unsubscribed recipient {NUMBER}"),
            Misconfigured: no(401, 20003, f"Authenticate, {NUMBER}"),
            RateLimited: no(429, 20429, f"Too Many Requests to {NUMBER}"),
            Transient: no(503, 20503, f"Service unavailable for {NUMBER}"),
            Ambiguous: no(500, 20500, f"Internal Server Error on {NUMBER}"),
        }

    @property
    def statuses(self) -> dict[int, Kind]:
        return {**_STATUSES, 418: self.unlisted, 500: Ambiguous, 502: Ambiguous, 599: Ambiguous}

    def account(self, url: str, key: str) -> TwilioAccount:
        return TwilioAccount(ACCOUNT_SID, key, url)

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> Any:
        return TwilioMessages(self.account(url, key), self.sender, PUBLIC_URL, transport, now=now)

    def send(self, adapter: Any, token: UUID) -> Any:
        return adapter.send(text(token))

    def accepted(self, message_id: str) -> Reply:
        return told(201, {"sid": message_id, "status": "queued", "num_segments": "1", "to": NUMBER})

    def key_in(self, request: Request) -> str:
        scheme, _, encoded = request.headers["authorization"].partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        assert (scheme, user) == ("Basic", ACCOUNT_SID)
        return password

    def token_in(self, request: Request) -> str:
        callback = urlsplit(parse_qs(request.body.decode())["StatusCallback"][0])
        return parse_qs(callback.query)["attempt"][0]


class WhatsAppCase(TwilioCase):
    @property
    def answers(self) -> dict[Kind, Reply]:
        at_once = no(400, 63003, f"Channel could not find To address {NUMBER.removeprefix('+')}")
        return {**super().answers, Undeliverable: at_once}


class TwilioLookupCase(TwilioCase):
    """A question, not a message: an answer that is lost is asked for again."""

    lost: Kind = Transient

    def __init__(self) -> None:
        super().__init__("SMS", Transient)
        self.name = "twilio-lookup"

    @property
    def answers(self) -> dict[Kind, Reply]:
        return {
            Misconfigured: no(401, 20003, "Authenticate"),
            RateLimited: no(429, 20429, "Too Many Requests"),
            Transient: no(500, 20500, "Internal Server Error"),
        }

    @property
    def statuses(self) -> dict[int, Kind]:
        return {**_STATUSES, 418: Transient, 500: Transient, 502: Transient, 599: Transient}

    def make(self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]) -> Any:
        return TwilioLookup(self.account(url, key), self.sender, transport, now=now)

    def send(self, adapter: Any, token: UUID) -> Any:
        return adapter.fetch(f"SM{token.hex}")

    def token_in(self, request: Request) -> str:
        return str(UUID(request.path.rpartition("/")[2].removeprefix("SM").removesuffix(".json")))


class StripeCase:
    """Questions as well."""

    name = "stripe"
    recipient = RECIPIENT
    lost: Kind = Transient
    pause = 2.0

    @property
    def answers(self) -> dict[Kind, Reply]:
        def says(status: int, kind: str, code: str | None) -> Reply:
            return told(status, {"error": {"type": kind, "code": code, "message": f"no, {RECIPIENT}"}})

        return {
            Rejected: says(400, "invalid_request_error", "parameter_unknown"),
            Misconfigured: says(401, "invalid_request_error", "api_key_expired"),
            RateLimited: says(429, "invalid_request_error", "rate_limit"),
            Transient: says(429, "invalid_request_error", "lock_timeout"),
        }

    @property
    def statuses(self) -> dict[int, Kind]:
        transient = dict.fromkeys((409, 500, 502, 599), Transient)
        return {**_STATUSES, 400: Rejected, 418: Rejected, **transient}

    def make(
        self, url: str, key: str, transport: PooledTransport, now: Callable[[], float]
    ) -> StripePayments:
        return StripePayments(key, url, transport, lambda: None, now=now)

    def send(self, adapter: StripePayments, token: UUID) -> Any:
        found = adapter.payment(f"pi_{token.hex}")
        assert found
        return SimpleNamespace(message_id=found.payment_id)

    def accepted(self, message_id: str) -> Reply:
        intent = {"id": message_id, "status": "processing", "currency": "eur", "receipt_email": RECIPIENT}
        return told(200, {**intent, "amount": 1, "amount_received": 0, "created": 1, "latest_charge": None})

    def key_in(self, request: Request) -> str:
        return request.headers["authorization"].removeprefix("Bearer ")

    def token_in(self, request: Request) -> str:
        return str(UUID(urlsplit(request.path).path.rpartition("/pi_")[2]))


class StripeMakerCase(StripeCase):
    """What is made under an idempotency key may be made again."""

    name = "stripe-maker"

    def send(self, adapter: StripePayments, token: UUID) -> Any:
        made = adapter.create(checkout(token), f"reminder:{token}")
        return SimpleNamespace(message_id=made.session_id)

    def accepted(self, message_id: str) -> Reply:
        times = {"created": 1, "expires_at": 2}
        session = {"id": message_id, "status": "open", "payment_status": "unpaid", "payment_intent": None}
        return told(200, {**session, **times, "customer_details": {"email": RECIPIENT}})

    def token_in(self, request: Request) -> str:
        (token,) = parse_qs(request.body.decode())["client_reference_id"]
        assert request.headers["idempotency-key"] == f"reminder:{token}"
        return token


def checkout(token: UUID, **changed: Any) -> NewCheckout:
    fields: dict[str, Any] = {
        "reference": str(token),
        "product": "Création d’une LLC",
        "amount": 99_900,
        "currency": "EUR",
        "metadata": {"order_id": str(token)},
        "success_url": "https://app.example.com/payment/success?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://app.example.com/payment/cancelled",
        "expires_at": datetime(2026, 11, 23, 8, tzinfo=UTC),
        "email": RECIPIENT,
        **changed,
    }
    return NewCheckout(**fields)


CASES: tuple[AdapterCase, ...] = (
    SendGridCase(),
    TwilioCase("SMS", Rejected),
    WhatsAppCase("WHATSAPP", Undeliverable),
    TwilioLookupCase(),
    StripeCase(),
    StripeMakerCase(),
)
