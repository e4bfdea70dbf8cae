"""The whole fleet on one machine: servers, sandbox and processes, in the foreground and gone with it."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from db import migrate, role
from db.locks import connected
from db.seed import seed
from workers.dev.embedded.home import stored_password
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis
from workers.dev.processes import ChildProcess
from workers.dev.sandbox.client import SandboxClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

HOST = "127.0.0.1"
_STOP_SECONDS = 15.0
_ASKED_SECONDS = 60.0
_ROLE = "fleet"
_ACCOUNT_SID = f"AC{'0' * 32}"

# Of the caller's environment only what programs need to run: no address and no key of anybody's.
_NEUTRAL = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")


def bare_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without anybody's addresses and keys, for a stack that must touch nothing of theirs."""
    return {name: value for name, value in environment.items() if name in _NEUTRAL}


class StackError(Exception):
    """The stack cannot be started as the environment asks; says what to change."""


@dataclass
class Stack:
    """Starts what the environment does not name, and every process of the fleet.

    Attributes:
        folder: Data and logs.
        given: The settings that the environment gives; they win.
        processes: Which to start, beside the sandbox.
        durable: Whether the data outlive a crash of the machine.
        latency: Seconds that the sandbox takes for an answer.
        usual_ports: Whether to take the ports that people expect, where they are free.
        program: What Python runs as the ``fleet`` command.
        seeded: Whether a database of the stack's own gets the platform's products.
        owner_url: The database, as whoever migrates it. Into the stack's own, the processes of the fleet log
            in as the fleet's role, as they should in production.
    """

    folder: Path
    given: Mapping[str, str]
    processes: tuple[str, ...] = ("ingress", "relay", "worker", "beat", "flower")
    durable: bool = False
    latency: float = 0.0
    usual_ports: bool = False
    program: tuple[str, ...] = ("-m", "workers.cli")
    seeded: bool = False
    owner_url: str = field(init=False, default="")
    postgres: EmbeddedPostgres | None = field(init=False, default=None)
    redis: EmbeddedRedis | None = field(init=False, default=None)
    environment: dict[str, str] = field(init=False, default_factory=dict)
    addresses: dict[str, str] = field(init=False, default_factory=dict)
    children: dict[str, ChildProcess] = field(init=False, default_factory=dict)
    _commands: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sandbox(self) -> SandboxClient:
        """Steers the sandbox."""
        return SandboxClient(self.addresses["sandbox"])

    def start(self) -> None:
        """Start servers, migrate, and start the processes.

        Raises:
            StackError: The environment asks for something dangerous.
            EmbeddedError: A server cannot be started.
        """
        self._refuse_to_swallow()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.environment = dict(self.given)
        ports = {name: free_port(usual if self.usual_ports else 0) for name, usual in _USUAL_PORTS.items()}
        self.addresses = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
        self._bring_up_database()
        if "REDIS_URL" not in self.given:
            self.redis = EmbeddedRedis(self.folder)
            self.redis.start()
            self.environment["REDIS_URL"] = self.redis.url
        key, token = f"SG.sandbox-{secrets.token_hex(8)}", secrets.token_hex(16)
        stripe = {
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        }
        self.spawn(
            "sandbox",
            "sandbox",
            *("--port", str(ports["sandbox"]), "--api-key", key, "--latency", str(self.latency)),
            *("--twilio-account-sid", _ACCOUNT_SID, "--twilio-auth-token", token),
            *("--stripe-key", stripe["STRIPE_SECRET_KEY"]),
            *("--stripe-webhook-secret", stripe["STRIPE_WEBHOOK_SECRET"]),
            *("--public-url", self.addresses["ingress"]),
        )
        self._fill_in(key, token, stripe)
        self.environment.setdefault("FLEET_OPS_PASSWORD", secrets.token_urlsafe(12))
        if "flower" in self.processes:
            self.environment.setdefault("FLEET_FLOWER_URL", self.addresses["flower"])
        for name in self.processes:
            port = ("--port", str(ports[name])) if name in ports else ()
            self.spawn(name, name, *port)

    def spawn(self, name: str, *command: str) -> ChildProcess:
        """Start a ``fleet`` command as a child, known by this name."""
        self._commands[name] = list(command)
        child = ChildProcess(
            [sys.executable, *self.program, *command],
            log=self.folder / "logs" / f"{name}.log",
            env=self.environment,
        )
        self.children[name] = child
        return child

    def ask(self, *command: str) -> str:
        """Run a ``fleet`` command to its end, and give what it prints."""
        program = [sys.executable, *self.program, *command]
        done = subprocess.run(
            program, env=self.environment, capture_output=True, text=True, timeout=_ASKED_SECONDS, check=False
        )
        return (done.stdout + done.stderr).strip()

    def revive(self) -> list[str]:
        """Start again what has ended by itself; return the names."""
        ended = [name for name, child in self.children.items() if not child.running]
        for name in ended:
            self.spawn(name, *self._commands[name])
        return ended

    def stop(self) -> None:
        """Stop the fleet, then what it works with: a send that is under way gets its answer."""
        sandbox = self.children.pop("sandbox", None)
        with ThreadPoolExecutor() as threads:
            for child in self.children.values():
                threads.submit(child.terminate, _STOP_SECONDS)
        self.children.clear()
        if sandbox is not None:
            sandbox.terminate(_STOP_SECONDS)
        for server in (self.redis, self.postgres):
            if server is not None:
                server.stop()

    def _bring_up_database(self) -> None:
        if "DATABASE_URL" in self.given:
            # Whose it is decides which roles there are.
            self.owner_url = self.given["DATABASE_URL"]
            migrate.upgrade(self.owner_url)
            return
        self.postgres = EmbeddedPostgres(self.folder, durable=self.durable)
        self.postgres.start()
        self.owner_url = self.postgres.url
        migrate.upgrade(self.owner_url)
        password = stored_password(self.folder / "role-password")
        with connected(self.owner_url) as connection:
            role.create(connection, _ROLE, password)
            if self.seeded:
                with Session(connection) as session:
                    seed(session)
                    session.commit()
        url = make_url(self.owner_url).set(username=_ROLE, password=password)
        self.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)

    def _fill_in(self, key: str, token: str, stripe: Mapping[str, str]) -> None:
        """Stand in for every setting that was not given, with the sandbox as the provider."""
        sandbox = self.addresses["sandbox"]
        with self.sandbox as client:
            client.wait_until_ready()
            public_key = client.public_key()
        stand_ins = {
            "TWILIO_ACCOUNT_SID": _ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": token,
            "TWILIO_SMS_PHONE": "+33639980001",
            "TWILIO_WHATSAPP_PHONE": "+33639980002",
            **stripe,
            "EMAIL_FROM": "Partners VRAI <bonjour@example.com>",
            "APP_URL": "http://localhost:3000",
            "PUBLIC_URL": self.addresses["ingress"],
        }
        providers = {
            "SENDGRID_API_KEY": {
                "SENDGRID_API_KEY": key,
                "SENDGRID_BASE_URL": sandbox,
                "SENDGRID_WEBHOOK_PUBLIC_KEY": public_key,
            },
            "TWILIO_AUTH_TOKEN": {"TWILIO_BASE_URL": sandbox},
            "STRIPE_SECRET_KEY": {"STRIPE_BASE_URL": sandbox},
        }
        for decisive, values in providers.items():
            # Keys of one's own mean the real provider, or the address that came with them.
            if decisive not in self.given:
                stand_ins |= values
        self.environment = {"SENDGRID_WEBHOOK_PUBLIC_KEY": public_key} | stand_ins | self.environment

    def _refuse_to_swallow(self) -> None:
        host = urlsplit(self.given.get("DATABASE_URL", "")).hostname
        if host not in {None, "localhost", HOST, "::1"} and "SENDGRID_API_KEY" not in self.given:
            raise StackError(
                f"DATABASE_URL names a database on {host}, and SENDGRID_API_KEY is not set: the e-mails of "
                "that database would end in the sandbox and be marked as sent. Set SENDGRID_API_KEY (and "
                "SENDGRID_BASE_URL for another sandbox), or unset DATABASE_URL."
            )


_USUAL_PORTS: Mapping[str, int] = {"sandbox": 8025, "ingress": 8080, "flower": 5555}


def free_port(preferred: int) -> int:
    """The preferred port if nobody has it, else any free one; 0 prefers none."""
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("no free port on this machine")
