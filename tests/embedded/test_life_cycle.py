from __future__ import annotations

import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from workers.dev.embedded.leftovers import mentions
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.processes import ChildProcess, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.embedded.conftest import Note
    from workers.dev.embedded.server import EmbeddedServer

SECONDS = 10

BOTH_SERVERS = """
import sys, time
from pathlib import Path
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis

folder = Path(sys.argv[1])
with EmbeddedPostgres(folder) as postgres, EmbeddedRedis(folder) as broker:
    print(postgres.pid, broker.pid, postgres.url, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_end_with_their_parent(
    end: signal.Signals, folder: Path, python: Callable[..., subprocess.Popen[str]], note: Note
) -> None:
    parent = python(BOTH_SERVERS, folder)
    assert parent.stdout is not None
    postgres, broker, url = parent.stdout.readline().split()
    note.write(url, "kept")
    assert mentions(int(broker), folder / "redis")
    parent.send_signal(end)
    parent.wait(SECONDS)
    (data,) = (path.resolve() for path in folder.glob("postgres-*"))
    assert wait_until(lambda: not mentions(int(postgres), data), SECONDS)
    assert wait_until(lambda: not mentions(int(broker), folder / "redis"), SECONDS)
    with EmbeddedPostgres(folder) as server:
        assert note.read(server.url) == "kept"


def test_a_server_outlives_the_thread_that_started_it(
    kind: type[EmbeddedServer], folder: Path, note: Note
) -> None:
    server = kind(folder)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    note.write(server.url, "kept")
    assert note.read(server.url) == "kept"
    server.stop()


def test_a_left_over_server_is_stopped_and_its_data_taken_over(
    kind: type[EmbeddedServer], folder: Path, note: Note
) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        command = server._command(server.port)
        account, port = server._account, server.port
    left = ChildProcess(command, log=folder / "left.log", account=account)
    assert wait_until(lambda: server._ready(left, port), SECONDS)
    with kind(folder) as successor:
        assert left.wait(SECONDS)
        assert note.read(successor.url) == "kept"


def test_a_process_id_used_again_is_left_alone(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        (pid_file,) = [*server._home.glob("data/postmaster.pid"), *server._home.glob("redis.pid")]
        _, *rest = pid_file.read_text().splitlines()
        server.kill()
        # Another process of the very user that runs the server.
        stranger = ChildProcess(["sleep", "60"], log=folder / "stranger.log", account=server._account)
        pid_file.write_text("\n".join([str(stranger.pid), *rest, ""]))
        server.start()
        assert note.read(server.url) == "kept"
        assert stranger.running
        stranger.kill()


def test_a_crash_amid_a_busy_query_is_waited_out(folder: Path) -> None:
    def count() -> None:
        # Whether its answer still gets through before the backend sees the crash is a race that
        # either may win.
        with suppress(psycopg.OperationalError), psycopg.connect(server.url) as connection:
            connection.execute("select count(*) from generate_series(1, 10000000)")

    with EmbeddedPostgres(folder) as server:
        query = threading.Thread(target=count)
        with psycopg.connect(server.url, autocommit=True) as watch:
            query.start()
            busy = "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"
            assert wait_until(lambda: watch.execute(busy).fetchone() is not None, SECONDS)
            server.kill()
        # Its backend still holds the shared memory until it looks up from the query.
        server.start()
        query.join()
        assert server.pid
