"""The life of an embedded server: claim its part of the folder, start, restart, crash, stop."""

from __future__ import annotations

import random
import signal
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from workers.dev.embedded.errors import EmbeddedError
from workers.dev.embedded.folders import Claim, claim, stop_leftovers
from workers.dev.processes import ChildProcess, wait_until

if TYPE_CHECKING:
    from workers.dev.processes import Account

HOST = "127.0.0.1"

# Below the range from which kernels take the ports of outgoing connections (32768 on Linux, 49152 on macOS):
# while a server restarts, a client that dials its port again and again could else be given that very port.
_PORTS = range(20000, 32000)

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

# What ends both servers in good order, without waiting for their clients; then what ends them at once.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT)

# Reasons not to start that pass: another port will do, or the backends of a crashed server are still leaving.
_PASSING = ("Address already in use", "pre-existing shared memory block")
_RETRY_SECONDS = 0.05

# Nothing of the caller's environment (PGDATA, PGPORT, LANG...) reaches a server; its messages are in English.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


class EmbeddedServer(ABC):
    """A server as a child of this process, on a free port of the loopback interface.

    Its port, data and password stay the same over `restart` and over `kill` or `stop` followed by `start`.

    Args:
        folder: what it keeps: data, password and log. Servers of different kinds may share one.
    """

    kind: ClassVar[str]
    part: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._claim: Claim | None = None
        self._child: ChildProcess | None = None
        self._port: int | None = None
        self._account: Account | None = None
        self._home = self.folder

    @abstractmethod
    def _prepare(self) -> None:
        """Find the binaries and lay down the data. The part is claimed and no server runs in it."""

    @abstractmethod
    def _command(self, port: int) -> list[str | Path]: ...

    @abstractmethod
    def _ready(self, child: ChildProcess, port: int) -> bool:
        """Whether that child takes connections on that port."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The address to connect to, with the password. EmbeddedError before the first start."""

    @property
    def pid(self) -> int:
        """The process id of the server. EmbeddedError while it does not run."""
        if self._child is None or not self._child.running:
            raise EmbeddedError(f"{self.kind} in {self.folder} is not running. Start it first.")
        return self._child.pid

    @property
    def port(self) -> int:
        """Its port, on 127.0.0.1. EmbeddedError before the first start."""
        if self._port is None:
            raise EmbeddedError(f"{self.kind} in {self.folder} was never started. Start it first.")
        return self._port

    @property
    def log(self) -> Path:
        """The file that its output is appended to."""
        return self.folder / f"{self.part}.log"

    def start(self) -> None:
        """Start it and wait until it takes connections; nothing to do if it runs.

        A server that a dead process left running on the same data is stopped first.

        Raises:
            FolderInUse: Another process runs one in this folder.
            EmbeddedError: It cannot be started; with its last log lines if it said anything.
        """
        if self._child is not None and self._child.running:
            return
        if self._claim is None:
            self._claim = claim(self.folder, self.part)
        try:
            stop_leftovers(self.folder, self.part)
            self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it in good order and let others use the folder. Repeating this is harmless."""
        self._end()
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def restart(self) -> None:
        """Stop it in good order and start it again, on the same port, data and password."""
        self._end()
        self.start()

    def kill(self) -> None:
        """Crash it with SIGKILL; `start` brings it back. EmbeddedError if it was not started."""
        if self._child is None:
            raise EmbeddedError(f"{self.kind} in {self.folder} is not running. Start it first.")
        self._child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, command: list[str | Path]) -> ChildProcess:
        self._child = ChildProcess(
            command,
            log=self.log,
            env=_ENVIRONMENT,
            cwd=Path("/"),
            account=self._account,
            death_signal=_STOP_SIGNALS[0],
        )
        return self._child

    def _launch(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while not (child := self._attempt(self._port or _free_port(), end)).running:
            said = child.output()
            if time.monotonic() > end or not any(reason in said for reason in _PASSING):
                raise EmbeddedError(f"{self.kind} did not start. The end of {self.log}:\n{said}")
            time.sleep(_RETRY_SECONDS)

    def _attempt(self, port: int, end: float) -> ChildProcess:
        """A server on that port, ready; or ended, if it would not become ready."""
        child = self._run(self._command(port))
        if wait_until(lambda: self._ready(child, port) or not child.running, end - time.monotonic()):
            self._port = port if child.running else self._port
        else:
            child.kill()
        return child

    def _end(self) -> None:
        if self._child is not None:
            self._child.terminate(_STOP_SECONDS, _STOP_SIGNALS)
            self._child = None


def _free_port() -> int:
    """A port that nothing listens on just now. Random, so that runs side by side seldom choose the same."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
