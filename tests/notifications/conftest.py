"""The pipeline on one database and one real sandbox for the run, both emptied for each test."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import uvicorn

from providers.sendgrid import SendGridEmail
from providers.transport import PooledTransport
from tests.databases import platform
from tests.notifications.one_database import clone, empty
from tests.notifications.pipeline import API_KEY, Clock, Pipeline
from workers.dev.sandbox.client import SandboxClient
from workers.dev.sandbox.server import server_config
from workers.dev.sandbox.state import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.application import Application, Client


@pytest.fixture(scope="session")
def _one_database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def database(_one_database: Database) -> Database:
    """The same for all of these tests, emptied for each."""
    empty(_one_database)
    return _one_database


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[SandboxClient]:
    # The server closes it. With the protocol named, asyncio sends small answers without delay.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = uvicorn.Server(server_config(SandboxSettings(API_KEY), host, port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with SandboxClient(f"http://{host}:{port}") as client:
            client.wait_until_ready()
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def sandbox(_running_sandbox: SandboxClient) -> SandboxClient:
    """The run's sandbox, with nothing sent to it and nothing wrong with it."""
    _running_sandbox.clear()
    _running_sandbox.clear_faults()
    _running_sandbox.set_key(API_KEY)
    return _running_sandbox


@pytest.fixture
def sender(sandbox: SandboxClient) -> Iterator[SendGridEmail]:
    transport = PooledTransport(connect_timeout=3.0, read_timeout=10.0, connections=64)
    yield SendGridEmail(API_KEY, sandbox.base_url, "Partners VRAI <bonjour@example.com>", transport)
    transport.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipeline(
    sessions: sessionmaker[Session], application: sessionmaker[Session], sender: SendGridEmail, clock: Clock
) -> Pipeline:
    return Pipeline(sessions, application, sender, clock)


@pytest.fixture
def app(owner_url: str) -> Iterator[Application]:
    with platform(owner_url) as application:
        yield application


@pytest.fixture
def client(app: Application) -> Client:
    """A client who has registered and not paid."""
    return app.register("camille@example.com", "Camille Exemple")


@pytest.fixture
def paid(app: Application, client: Client, pipeline: Pipeline) -> Client:
    """A client with a dossier, whose events so far are out of the way."""
    with_dossier = app.pay(client)
    pipeline.change("delete from fleet.outbox")
    return with_dossier
