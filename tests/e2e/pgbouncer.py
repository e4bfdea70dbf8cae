"""A PgBouncer in front of a test's database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import make_url

from db.engine import dsn
from tests.programs import needed
from workers.dev.embedded.home import prepare_home, unprivileged_account, write_private
from workers.dev.processes import ChildProcess, wait_until
from workers.dev.stack import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STARTED_SECONDS = 10.0

# A transaction gets the connection that was idle longest: what relies on a session is found out at once.
_SETTINGS = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
server_round_robin = 1
"""


@contextmanager
def pooler(folder: Path, mode: str, *urls: str) -> Iterator[list[str]]:
    """Run one in a mode, and give each URL as it is by way of the pooler."""
    program = needed("pgbouncer", "pgbouncer")
    account = unprivileged_account()  # it refuses to run as root
    parsed = [make_url(url) for url in urls]
    folder.mkdir(parents=True)
    home = prepare_home(folder / "pgbouncer", account)
    users, settings, port = home / "users.txt", home / "pgbouncer.ini", free_port(0)
    write_private(users, "".join(f'"{url.username}" "{url.password}"\n' for url in parsed), account)
    text = _SETTINGS.format(
        host=parsed[0].host, port=parsed[0].port, listen_port=port, users=users, mode=mode
    )
    write_private(settings, text, account)
    child = ChildProcess([program, str(settings)], log=folder / "pgbouncer.log", account=account)
    pooled = [url.set(host=HOST, port=port).render_as_string(hide_password=False) for url in parsed]
    try:
        assert wait_until(lambda: _answers(pooled[0]), _STARTED_SECONDS), child.output()
        yield pooled
    finally:
        child.terminate(5)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(dsn(url), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
