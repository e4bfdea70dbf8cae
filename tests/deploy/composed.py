"""docker-compose.yml as Compose reads it, and its services as processes of this machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from workers.dev.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
BINARIES = Path(sys.executable).parent

# ${NAME}, ${NAME:-default} and ${NAME:?message}; the innermost is matched first.
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^${}]*))?\}")
_SECONDS = re.compile(r"(\d+)s")

_DEADLINE_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


def read() -> dict[str, Any]:
    """The file, its anchors resolved and its variables as written."""
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
    return parsed


def services(given: Mapping[str, str]) -> dict[str, Any]:
    """The services, their variables replaced by what .env gives."""
    filled: dict[str, Any] = _filled(read()["services"], given)
    return filled


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, given) for item in value]
    while isinstance(value, str) and _VARIABLE.search(value):
        value = _VARIABLE.sub(lambda match: _value(match, given), value)
    return value


def _value(match: re.Match[str], given: Mapping[str, str]) -> str:
    name, operator, other = match.groups()
    value = given.get(name, "")
    if value or operator is None:
        return value
    assert operator == "-", f"{name} is not set: {other}"
    return str(other)


@dataclass
class Composed:
    """Starts services natively: the same command and environment, on this machine's servers and free ports.

    Attributes:
        given: What .env holds.
        addresses: The servers that stand in for those of the file, by variable.
        folder: Working folder and logs.
    """

    given: Mapping[str, str]
    addresses: Mapping[str, str]
    folder: Path
    started: list[Service] = field(default_factory=list)

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service, with the stand-ins' addresses."""
        service = services(self.given)[name]
        from_file = dict(self.given) if "env_file" in service else {}
        environment: dict[str, str] = from_file | service.get("environment", {})
        return environment | {key: self.addresses[key] for key in environment if key in self.addresses}

    def start(self, name: str) -> Service:
        """Start a service's command."""
        service = services(self.given)[name]
        ports = {str(port).rsplit(":", 1)[-1]: _free_port() for port in service.get("ports", [])}
        environment = {
            "PATH": os.pathsep.join([str(BINARIES), os.environ["PATH"]]),
            "HOME": str(self.folder),
        } | self.environment(name)
        command = [_mapped(word, ports) for word in service["command"]]
        child = ChildProcess(
            [BINARIES / "fleet", *command],
            log=self.folder / f"{name}.log",
            env=environment,
            cwd=self.folder,
        )
        running = Service(name, service, child, environment, ports, self.folder)
        self.started.append(running)
        return running

    def stop(self) -> None:
        """End what still runs."""
        for service in self.started:
            service.child.kill()


@dataclass
class Service:
    """A service's process."""

    name: str
    declared: Mapping[str, Any]
    child: ChildProcess
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    folder: Path

    @property
    def url(self) -> str:
        """Where it listens, for a service with one port."""
        (port,) = self.ports.values()
        return f"http://127.0.0.1:{port}"

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; fail where the process ends before, or takes too long."""
        end = time.monotonic() + _DEADLINE_SECONDS
        while not condition():
            assert self.child.running, f"{self.name} ended:\n{self.child.output()}"
            assert time.monotonic() < end, f"{self.name} did not do its work:\n{self.child.output()}"
            time.sleep(_PAUSE_SECONDS)

    def healthy(self) -> bool:
        """Whether its health check passes, as Docker would run it."""
        assert self.child.running, self.child.output()
        kind, *words = self.declared["healthcheck"]["test"]
        words = [_mapped(word, self.ports) for word in words]
        completed = subprocess.run(
            ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words,
            env=dict(self.environment),
            cwd=self.folder,
            capture_output=True,
            timeout=_seconds(self.declared["healthcheck"]["timeout"]),
            check=False,
        )
        return completed.returncode == 0

    def stops_in_time(self) -> bool:
        """Ask it to stop as Docker does; whether it ends by itself within its grace period."""
        grace = _seconds(self.declared.get("stop_grace_period", "10s"))
        self.child.terminate(grace)
        return self.child.returncode in {0, -15}


def _mapped(word: str, ports: Mapping[str, int]) -> str:
    """A word of a command with this machine's addresses."""
    word = word.replace("0.0.0.0", "127.0.0.1").replace("//ingress:", "//127.0.0.1:")  # noqa: S104 - away from it
    for declared, free in ports.items():
        word = re.sub(rf"\b{declared}\b", str(free), word)
    return word


def _seconds(duration: str) -> int:
    match = _SECONDS.fullmatch(duration)
    assert match, f"{duration} is not of the form 30s"
    return int(match[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
