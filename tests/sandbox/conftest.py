"""A real sandbox on a free port for each test, the vendor's own SDK, and an ingress that hears the events."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import urllib3
import uvicorn
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, CustomArg, Mail
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tests.waiting import wait_for
from workers.dev.sandbox.client import SandboxClient
from workers.dev.sandbox.server import server_config
from workers.dev.sandbox.state import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twilio.rest.api.v2010.account.message import MessageInstance

API_KEY = "SG.made-up"
ACCOUNT = f"AC{'1' * 32}"
TOKEN = "made-up-token"
OURS = "+33639980001"


@pytest.fixture(name="wait_for")
def _wait_for() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def settings() -> SandboxSettings:
    return SandboxSettings(
        api_key=API_KEY,
        webhook_delay=0.0,
        capacity=50,
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        price_delay=0.0,
        callback_retry_pause=0.0,
    )


@pytest.fixture(scope="session")
def leaving() -> Iterator[list[threading.Thread]]:
    """Servers on their way out: uvicorn takes 0.2 s to leave, and the next test need not wait for it."""
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture
def sandbox(settings: SandboxSettings, leaving: list[threading.Thread]) -> Iterator[SandboxClient]:
    with serving(settings, leaving) as client:
        yield client


@contextmanager
def serving(settings: SandboxSettings, leaving: list[threading.Thread]) -> Iterator[SandboxClient]:
    """A sandbox on a free port."""
    # Named as TCP, or asyncio lets Nagle hold back each answer. The server closes it.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = uvicorn.Server(server_config(settings, host, port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    leaving.append(thread)
    try:
        with SandboxClient(f"http://{host}:{port}") as client:
            client.wait_until_ready()
            yield client
    finally:
        server.should_exit = True


@pytest.fixture
def sendgrid(sandbox: SandboxClient) -> SendGridAPIClient:
    client = SendGridAPIClient(API_KEY, host=sandbox.base_url)
    client.client.timeout = 10
    return client


class HttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK publishes no types
    """The SDK's own client, but for the address."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=10)
        self.base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base_url), *args, **kwargs)


@pytest.fixture
def twilio(sandbox: SandboxClient) -> Iterator[Client]:
    http = HttpClient(sandbox.base_url)
    yield Client(ACCOUNT, TOKEN, http_client=http)
    assert http.session is not None
    http.session.close()


@pytest.fixture
def send(twilio: Client) -> Callable[..., MessageInstance]:
    """Sends a message to a phone by the SDK; ``whatsapp=True`` by that."""

    def _send(
        to: str = "+33639981234", body: str | None = "Bonjour", *, whatsapp: bool = False, **more: Any
    ) -> MessageInstance:
        prefix = "whatsapp:" if whatsapp else ""
        if body is not None:
            more["body"] = body
        return twilio.messages.create(to=prefix + to, from_=prefix + OURS, **more)

    return _send


@pytest.fixture
def mail() -> Callable[..., Mail]:
    return make_mail


def make_mail(
    to: str = "marie@example.com",
    subject: str = "Votre dossier",
    html: str = "<p>Bonjour</p>",
    token: str = "t-1",  # noqa: S107  names an attempt, opens nothing
) -> Mail:
    mail = Mail("no-reply@example.com", to, subject, plain_text_content="Bonjour", html_content=html)
    mail.custom_arg = CustomArg("token", token)
    mail.category = Category("dossier_opened")
    return mail


@pytest.fixture
def post(sandbox: SandboxClient) -> Iterator[Callable[..., urllib3.BaseHTTPResponse]]:
    """Posts any body to the mail API over one kept connection."""
    with urllib3.PoolManager(retries=False, timeout=10) as pool:
        yield partial(_post, pool, f"{sandbox.base_url}/v3/mail/send")


def _post(
    pool: urllib3.PoolManager, url: str, body: object, headers: dict[str, str] | None = None
) -> urllib3.BaseHTTPResponse:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    defaults = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    return pool.request("POST", url, body=encoded, headers=defaults | (headers or {}))


@dataclass
class Ingress:
    """Hears callbacks and answers as told; 204 when nothing is."""

    base: str
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)

    @property
    def url(self) -> str:
        return f"{self.base}/webhooks/sendgrid"

    def callback(self, token: str = "t-1", fragment: str = "") -> str:  # noqa: S107  names an attempt
        return f"{self.base}/webhooks/twilio/status?attempt={token}{fragment}"

    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(body.decode(), keep_blank_values=True)) for _, body in self.heard]

    def events(self) -> list[dict[str, Any]]:
        return [event for _, body in self.heard for event in json.loads(body)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        ingress: Ingress = self.server.ingress  # type: ignore[attr-defined]  # set by the fixture
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = ingress.answers.popleft() if ingress.answers else 204
        ingress.paths.append(self.path)
        ingress.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        pass


@pytest.fixture
def ingress() -> Iterator[Ingress]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        ingress = Ingress(f"http://127.0.0.1:{server.server_port}")
        server.ingress = ingress  # type: ignore[attr-defined]  # read by the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield ingress
        server.shutdown()
        thread.join()
