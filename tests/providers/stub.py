"""An HTTP server that answers as it is told, well or badly, and remembers what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEADLINE = 10.0  # Seconds that a test may wait for anything before it has failed.
_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Reply:
    """A proper answer; the line stays open."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encoded(self) -> bytes:
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Raw:
    """Any bytes, then the line is closed."""

    data: bytes


@dataclass(frozen=True)
class Drop:
    """The line is reset without a word, once the body was read or before."""

    body_read: bool


@dataclass(frozen=True)
class Hang:
    """Nothing, until the server ends."""


@dataclass(frozen=True)
class Drip:
    """An answer that begins and goes on, byte by byte, for as long as anyone listens."""


Answer = Reply | Raw | Drop | Hang | Drip


@dataclass(frozen=True)
class Request:
    """What was asked; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    line: int


class StubServer:
    """Serves each line in a thread of its own; answers from the script first, then ``default`` for ever.

    Args:
        default: The answer when the script is done.
        listening: Whether to take lines from the start; until ``listen``, the port refuses them.
    """

    def __init__(self, default: Answer, *, listening: bool = True) -> None:
        self.default = default
        self.script: deque[Answer] = deque()
        self.requests: list[Request] = []
        self.lines = 0
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if listening:
            self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        self._listener.listen(128)
        self._start(self._accept)

    def wait_for_requests(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, DEADLINE)

    def wait_for_closed_line(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.lines and not self._open, DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Close every line; no thread is left behind."""
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for line in self._open:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.lines += 1
                self._open.add(line)
            self._start(self._serve, line, self.lines)

    def _serve(self, line: socket.socket, number: int) -> None:
        with line, line.makefile("rb") as reader, suppress(OSError):
            while self._answer(line, reader, number):
                pass
        with self._changed:
            self._open.discard(line)
            self._changed.notify_all()

    def _answer(self, line: socket.socket, reader: BinaryIO, number: int) -> bool:
        """Take one request and answer it; whether the line goes on."""
        start = reader.read(1)
        if not start or start == _TLS_HANDSHAKE:
            return False
        method, path, _ = (start + reader.readline()).decode().split(" ")
        headers = {}
        while head := reader.readline().decode().strip():
            name, value = head.split(":", 1)
            headers[name.lower()] = value.strip()
        with self._changed:
            answer = self.script.popleft() if self.script else self.default
        if answer == Drop(body_read=False):
            return _reset(line)
        body = reader.read(int(headers.get("content-length", 0)))
        with self._changed:
            self.requests.append(Request(method, path, headers, body, number))
            self._changed.notify_all()
        match answer:
            case Reply():
                line.sendall(answer.encoded())
                return headers.get("connection") != "close"
            case Raw(data):
                line.sendall(data)
            case Hang():
                self._ended.wait(DEADLINE)
            case Drip():
                line.sendall(b"HTTP/1.1 202 Said\r\nX-Message-Id: slow\r\nContent-Length: 100000\r\n\r\n")
                while not self._ended.wait(0.02):
                    line.sendall(b".")
            case Drop():
                return _reset(line)
        return False


def _reset(line: socket.socket) -> bool:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False
