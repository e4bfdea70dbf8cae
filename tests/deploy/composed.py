"""docker-compose.yml as Compose reads it, and its services as processes of this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from workers.dev.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
BINARIES = Path(sys.executable).parent

_SECONDS = re.compile(r"(\d+)s")
_PORT = re.compile(r"(?:\S+:)?(\d+):(\d+)")

_DEADLINE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05


def read() -> dict[str, Any]:
    """The file, its anchors resolved."""
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
    return parsed


def services() -> dict[str, Any]:
    """The services, by name."""
    declared: dict[str, Any] = read()["services"]
    return declared


def fleet_services() -> dict[str, Any]:
    """Those that are built here: all but the servers."""
    return {name: service for name, service in services().items() if "build" in service}


def starting_order() -> list[str]:
    """The fleet's services in the order in which Compose starts them; it stops them the other way round."""
    ours = fleet_services()
    graph = {name: [d for d in service.get("depends_on", {}) if d in ours] for name, service in ours.items()}
    return list(TopologicalSorter(graph).static_order())


def secret_files(service: Mapping[str, Any]) -> dict[str, str]:
    """The secrets of a service: the name under /run/secrets, and the name of its file."""
    files = {name: Path(secret["file"]).name for name, secret in read()["secrets"].items()}
    listed = [{"source": s, "target": s} if isinstance(s, str) else s for s in service.get("secrets", [])]
    return {secret["target"]: files[secret["source"]] for secret in listed}


@dataclass
class Composed:
    """Starts services natively: same command, environment and secrets, on this machine's servers and ports.

    Attributes:
        given: What .env holds.
        secrets: The folder of secrets.
        folder: Logs, and the folders that stand in for what is mounted.
        stand_ins: Words of the commands that mean something else here.
    """

    given: Mapping[str, str]
    secrets: Path
    folder: Path
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    started: dict[str, Service] = field(default_factory=dict, init=False)
    _ports: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for service in services().values():
            for port in service.get("ports", []):
                match = _PORT.fullmatch(port)
                assert match, f"{port} is not of the form 127.0.0.1:8080:8080"
                self._ports[match[2]] = str(_free_port())

    @property
    def image(self) -> Path:
        """The working folder of all, where nothing may be written: the image's is read-only."""
        folder = self.folder / "image"
        folder.mkdir(exist_ok=True)
        return folder

    def settings(self, name: str) -> dict[str, str]:
        """What a service is given by name: secrets, and the environment, which wins where it is not empty."""
        files = secret_files(services()[name])
        secrets = {target: (self.secrets / file).read_text("utf-8") for target, file in files.items()}
        return secrets | {key: value for key, value in self._environment(name).items() if value}

    def start(self, name: str) -> Service:
        """Start a service's command."""
        service = services()[name]
        environment = {
            "PATH": os.pathsep.join([str(BINARIES), os.environ["PATH"]]),
            "HOME": str(self.image),
            "FLEET_SECRETS_DIR": str(self._mount(name)),
        } | self._environment(name)
        child = ChildProcess(
            self._here([*service.get("entrypoint", ["fleet"]), *service["command"]]),
            log=self.folder / f"{name}.log",
            env=environment,
            cwd=self.image,
        )
        test = self._here(service.get("healthcheck", {}).get("test", ["NONE"])[1:])
        running = Service(name, service, child, environment, test, self.url(name))
        self.started[name] = running
        return running

    def stop(self) -> None:
        """End what still runs."""
        for service in self.started.values():
            service.child.kill()

    def url(self, name: str) -> str:
        """Where a service listens here; empty for one without a port."""
        ports = services()[name].get("ports", [])
        return f"http://127.0.0.1:{self._ports[ports[0].rsplit(':', 1)[1]]}" if ports else ""

    def _environment(self, name: str) -> dict[str, str]:
        service = services()[name]
        from_file = dict(self.given) if "env_file" in service else {}
        written = from_file | service.get("environment", {})
        return {key: self._mapped(value) for key, value in written.items()}

    def _mount(self, name: str) -> Path:
        folder = self.folder / f"{name}-secrets"
        folder.mkdir()
        for target, file in secret_files(services()[name]).items():
            shutil.copyfile(self.secrets / file, folder / target)
        return folder

    def _here(self, words: Sequence[str]) -> list[str]:
        return [self._mapped(word) for word in words]

    def _mapped(self, word: str) -> str:
        """A word as Compose passes it on, with this machine's addresses."""
        word = word.replace("$$", "$").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - away from it
        word = re.sub(r"//(?:ingress|sandbox):", "//127.0.0.1:", word)
        for known, here in {**self._ports, **self.stand_ins}.items():
            word = re.sub(rf"\b{known}\b", here, word)
        return word


@dataclass
class Service:
    """A service's process."""

    name: str
    declared: Mapping[str, Any]
    child: ChildProcess
    environment: Mapping[str, str]
    test: Sequence[str]
    url: str

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; fail where the process ends before, or takes too long."""
        end = time.monotonic() + _DEADLINE_SECONDS
        while not condition():
            assert self.child.running, f"{self.name} ended:\n{self.child.output()}"
            assert time.monotonic() < end, f"{self.name} did not do its work:\n{self.child.output()}"
            time.sleep(_PAUSE_SECONDS)

    def done(self) -> None:
        """Wait for the end of one that ends by itself, with success."""
        assert self.child.wait(_DEADLINE_SECONDS), self.child.output()
        assert self.child.returncode == 0, self.child.output()

    def healthy(self) -> bool:
        """Whether its health check passes, as Docker would run it."""
        return self.check().returncode == 0

    def check(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run its health check, with more options."""
        return subprocess.run(
            [*self.test, *options],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds(self.declared["healthcheck"]["timeout"]),
            check=False,
        )

    def stops_in_time(self) -> bool:
        """Ask it to stop as Docker does; whether it ends by itself within its grace period."""
        self.child.terminate(seconds(self.declared.get("stop_grace_period", "10s")))
        return self.child.returncode in {0, -15}


def seconds(duration: str) -> int:
    """A duration of the compose file."""
    match = _SECONDS.fullmatch(duration)
    assert match, f"{duration} is not of the form 30s"
    return int(match[1])


def megabytes(size: str) -> int:
    """A size of the compose file."""
    number, unit = int(size[:-1]), size[-1]
    return number * {"M": 1, "G": 1024}[unit]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
