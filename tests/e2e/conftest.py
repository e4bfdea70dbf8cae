"""A stack of real processes: worker, relay, beat, ingress and sandbox, shared by the tests of a module."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from db.engine import dsn
from workers.dev.application import Application
from workers.dev.processes import wait_until
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Database
    from workers.dev.application import Client
    from workers.dev.embedded.redis import EmbeddedRedis
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.sandbox.wire import MessageSummary

DEADLINE = 40.0
"""Seconds within which anything that is to happen has happened, on a slow machine too."""

SOONER = {
    "FLEET_CONNECT_TIMEOUT_SECONDS": "1",
    "FLEET_READ_TIMEOUT_SECONDS": "2",
    "FLEET_LEASE_SECONDS": "6.5",
    "FLEET_RETRY_BASE_SECONDS": "0.5",
    "FLEET_ROUTING_GRACE_SECONDS": "1",
    "FLEET_LOOKUP_AFTER_SECONDS": "1",
    # One person gets hundreds of messages here.
    "FLEET_RECIPIENT_PER_HOUR": "100000",
    # Long enough that no test is surprised by it; who waits for it gives the worker a shorter one.
    "FLEET_UNKNOWN_WAIT_SECONDS": "60",
}


@dataclass
class Fleet:
    """A running stack with the hands to steer it and the eyes to see what became of things."""

    owner_url: str
    stack: Stack
    sandbox: SandboxClient
    application: Application

    def sql(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(dsn(self.owner_url), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: object) -> Any:
        rows = self.sql(statement, *values)
        assert len(rows) == 1, rows
        return rows[0][0] if len(rows[0]) == 1 else rows[0]

    def client(self) -> Client:
        """A paying client whose welcome and receipt have been sent and forgotten."""
        email = f"client-{secrets.token_hex(4)}@example.com"
        client = self.application.pay(self.application.register(email, "Camille Exemple"))
        self.wait(lambda: self.accepted(email) == 2, "the welcome and the receipt")
        self.wait_settled()
        self.sandbox.clear()
        return client

    def accepted(self, email: str) -> int:
        return len(self.messages(email))

    def messages(self, email: str) -> list[MessageSummary]:
        return self.sandbox.messages(to=email)

    def wait(self, condition: Any, what: str, seconds: float = DEADLINE) -> None:
        if not wait_until(condition, seconds):
            told = [f"--- {name}\n{child.output(20)}" for name, child in self.stack.children.items()]
            pytest.fail(f"{what} did not come within {seconds:g} s\n" + "\n".join(told))

    def wait_settled(self) -> None:
        self.wait(lambda: self.unsettled() == 0, "an empty queue")

    def wait_reachable(self) -> None:
        """Return once callbacks arrive: one that comes too early is only tried again seconds later."""
        address = urlsplit(self.stack.addresses["ingress"])

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((str(address.hostname), int(address.port or 0))) == 0

        self.wait(listens, "an ingress")

    def unsettled(self) -> int:
        return int(
            self.one(
                "select (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch)"
                " + (select count(*) from notification_deliveries where status = 'PENDING')"
            )
        )

    def delivery(self, event_id: object, channel: str = "EMAIL") -> dict[str, Any]:
        """The delivery of an event, as soon as there is one."""
        query = (
            "select to_jsonb(d) from notification_deliveries d"
            " join notifications n on n.id = d.notification_id where n.event_id = %s and d.channel = %s"
        )
        self.wait(lambda: len(self.sql(query, event_id, channel)) == 1, f"a delivery of event {event_id}")
        found: dict[str, Any] = self.one(query, event_id, channel)
        return found

    def attempts(self, delivery_id: object) -> list[tuple[str | None, str | None, str | None]]:
        return [
            tuple(row)
            for row in self.sql(
                "select outcome, evidence, code from fleet.attempts where delivery_id = %s order by number",
                delivery_id,
            )
        ]

    def fleet(self, *arguments: str, code: int = 0) -> str:
        """Run a command of ``fleet`` in this stack's environment and give what it prints."""
        # What is done to the database itself is its owner's affair.
        owner = {"DATABASE_URL": self.owner_url} if arguments[0] == "db" else {}
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", *arguments],
            env=self.stack.environment | owner,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.fleet("status", "--json"))
        return parsed

    def kill_worker(self) -> None:
        self.stack.children["worker"].kill()

    def revive(self) -> None:
        self.stack.revive()

    def worker_with(self, **environment: str) -> None:
        """Replace the worker by one with other settings."""
        self.stack.children["worker"].terminate(20)
        self.stack.environment |= environment
        self.revive()

    def reset(self, environment: dict[str, str], key: str) -> None:
        """Undo what a test has done to the stack, so that the next one finds it new."""
        self.sandbox.clear_faults()
        self.sandbox.clear_behaviours()
        self.sandbox.release_webhooks()
        self.sandbox.set_latency(0)
        self.sandbox.set_key(key)
        self.sql("delete from fleet.channels")
        if self.stack.environment != environment:
            self.worker_with(**environment)
        self.revive()
        self.wait_settled()
        self.sandbox.clear()


def open_fleet(stack: Stack, owner_url: str | None = None) -> Iterator[Fleet]:
    """A fleet on a running stack; the owner of a database that is not the stack's own has to be told."""
    with stack, stack.sandbox as sandbox:
        owner_url = owner_url or stack.owner_url
        with Application(owner_url) as application:
            yield Fleet(owner_url, stack, sandbox, application)


@pytest.fixture(scope="module")
def running(
    module_database: Database, redis_server: EmbeddedRedis, run_folder: Path
) -> Iterator[tuple[Fleet, dict[str, str], str]]:
    """Everything but Flower, on a database of this module's own and an empty broker."""
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    given = bare_environment(os.environ) | SOONER
    given |= {"DATABASE_URL": module_database.url, "REDIS_URL": redis_server.url}
    folder = run_folder / f"stack-{secrets.token_hex(4)}"
    stack = Stack(folder, given, processes=("ingress", "relay", "worker", "beat"))
    for fleet in open_fleet(stack, module_database.owner_url):
        yield fleet, dict(fleet.stack.environment), fleet.sandbox.settings().api_key


@pytest.fixture
def fleet(running: tuple[Fleet, dict[str, str], str]) -> Iterator[Fleet]:
    fleet, environment, key = running
    yield fleet
    fleet.reset(environment, key)
