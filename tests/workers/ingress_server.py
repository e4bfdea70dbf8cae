"""The ingress over real HTTP, as it is served in production, and providers who sign as theirs do."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
import uvicorn
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from providers.signatures_sendgrid import SendGridSignatures
from providers.signatures_stripe import StripeSignatures
from providers.signatures_twilio import TwilioSignatures
from schedules.timetable import timetable
from tests.waiting import wait_for
from workers.dev.sandbox.sendgrid_events import Signer
from workers.ingress.app import Ingress
from workers.ingress.serving import server_config
from workers.ingress.sources import TOLERANCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.routing import Route

    from tests.notifications.pipeline import Clock

SIGNER = Signer()
AUTH_TOKEN = "made-up-token"
WEBHOOK_SECRETS = ("whsec_made_up_new", "whsec_made_up_old")
PUBLIC_URL = "https://partners.example.com/fleet"
MAX_AGE = 60.0
FORM = "application/x-www-form-urlencoded"
SID = "SM" + "0a" * 16


@dataclass
class Caller:
    """Posts to the ingress as providers would."""

    address: tuple[str, int]
    clock: Clock
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10))

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        return self.pool.request(method, f"{self.url}{path}", headers=headers, redirect=False)

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        return self.pool.request("POST", f"{self.url}{path}", body=body, headers=headers, redirect=False)

    def post_batch(self, body: bytes, headers: Mapping[str, str] | None = None, age: float = 0.0) -> int:
        """As SendGrid; the status of the answer."""
        signed = SIGNER.headers(body, int(self.clock.now.timestamp() - age))
        return self.post("/webhooks/sendgrid", body, signed | dict(headers or {})).status

    def post_events(self, *events: Mapping[str, Any]) -> int:
        return self.post_batch(json.dumps(events).encode())

    def post_form(self, path: str, form: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """As Twilio, to a path with or without a query."""
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(path, form)}
        return self.post(path, urlencode(form).encode(), headers)

    def metric(self, name: str) -> float | None:
        """The value of one series, written as Prometheus does."""
        for line in self.ask("/metrics").data.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if series == name:
                return float(value)
        return None


def signature(path: str, form: Mapping[str, str], token: str = AUTH_TOKEN, url: str = PUBLIC_URL) -> str:
    """By the vendor's own hand."""
    signed: str = RequestValidator(token).compute_signature(f"{url}{path}", dict(form))
    return signed


def stored(sessions: sessionmaker[Session]) -> dict[str, dict[str, Any]]:
    with sessions() as session:
        return {row.callback_id: row.body for row in session.execute(text("select * from fleet.inbox"))}


@contextmanager
def serving(
    sessions: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
    pages: Sequence[Route] = (),
) -> Iterator[Caller]:
    """Serve it; uvicorn takes 0.2 s to leave, and the next test need not wait for that."""
    ingress = Ingress(
        sessions=sessions,
        sendgrid=SendGridSignatures(SIGNER.public_key, TOLERANCE_SECONDS),
        twilio=TwilioSignatures(AUTH_TOKEN),
        stripe=StripeSignatures(WEBHOOK_SECRETS, now=lambda: clock().timestamp()),
        public_url=PUBLIC_URL,
        health_max_age_seconds=MAX_AGE,
        poll_share_warning=0.1,
        entries=timetable(),
        clock=clock,
        pages=pages,
    )
    # Named a TCP socket, for asyncio to send small answers at once; the server closes it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = uvicorn.Server(server_config(ingress.app(), host, port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    leaving.append(thread)
    caller = Caller((host, port), clock)
    wait_for(lambda: server.started)
    try:
        yield caller
    finally:
        caller.pool.clear()
        server.should_exit = True
