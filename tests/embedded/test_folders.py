from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import pytest

from workers.dev.embedded.errors import EmbeddedError, FolderInUse
from workers.dev.embedded.folders import claim, is_outside, sweep
from workers.dev.embedded.home import prepare_home, unprivileged_account
from workers.dev.embedded.leftovers import mentions
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.processes import ChildProcess, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from workers.dev.embedded.server import EmbeddedServer

HOLD = """
import sys, time
from pathlib import Path
from workers.dev.embedded.folders import claim

held = claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
# Holds what it gets until the end of input: whoever else asks for the same folder must be refused.
RACE = """
import sys
from pathlib import Path
from workers.dev.embedded.errors import FolderInUse
from workers.dev.embedded.folders import claim

held = {}
for number in range(int(sys.argv[2])):
    try:
        held[number] = claim(Path(sys.argv[1]) / f"test-{number}")
    except FolderInUse:
        continue
print(*held, flush=True)
sys.stdin.readline()
"""


def test_a_claim_names_its_holder_and_ends_with_it(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    holder = python(HOLD, tmp_path / "up")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(FolderInUse, match=f"{tmp_path}/up is in use by process {holder.pid}. Stop it first"):
        claim(tmp_path / "up")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with claim(tmp_path / "up"):
        assert (tmp_path / "up/folder.lock").read_text() == str(os.getpid())


def test_a_claim_is_released_once_and_can_be_had_again(tmp_path: Path) -> None:
    for _ in range(2):
        held = claim(tmp_path / "up")
        held.release()
        held.release()


def test_parts_are_claimed_apart_and_block_clearing(tmp_path: Path) -> None:
    whole = claim(tmp_path / "up")
    (tmp_path / "up/rows").write_text("kept")
    with claim(tmp_path / "up", "postgres"), pytest.raises(FolderInUse):
        whole.clear()
    assert (tmp_path / "up/rows").read_text() == "kept"
    claim(tmp_path / "up").clear()
    assert not (tmp_path / "up").exists()


def test_sweep_removes_what_nobody_holds_and_stops_its_servers(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    abandoned = tmp_path / "demo-1"
    with kind(abandoned) as server:
        command, port = server._command(server.port), server.port
    left = ChildProcess(command, log=abandoned / "left.log", account=server._account)
    assert wait_until(lambda: server._ready(left, port), 10)
    assert sweep(tmp_path) == [abandoned]
    assert left.wait(10)
    assert not abandoned.exists()
    assert not server._home.exists()


def test_sweep_leaves_alone_what_is_in_use_or_nobodys(tmp_path: Path) -> None:
    never_claimed = tmp_path / "demo-mine"
    never_claimed.mkdir()
    lasting = claim(tmp_path / "up")
    lasting.release()
    with claim(tmp_path / "test-held"), EmbeddedPostgres(tmp_path / "demo-running") as server:
        (tmp_path / "test-link").symlink_to(tmp_path / "test-held")
        assert sweep(tmp_path) == []
        assert mentions(server.pid, server._home)
    (tmp_path / "test-link").unlink()
    assert sweep(tmp_path) == [tmp_path / "demo-running", tmp_path / "test-held"]
    assert {path.name for path in tmp_path.iterdir()} == {"demo-mine", "up"}


def test_sweep_reports_what_it_cannot_remove(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "demo-odd"
    folder.mkdir()
    (folder / "folder.lock").mkdir()
    with caplog.at_level(logging.WARNING):
        assert sweep(tmp_path) == []
    assert "could not remove" in caplog.text
    assert folder.exists()


def test_a_closed_parent_puts_the_data_outside_and_clearing_removes_both(folder: Path) -> None:
    folder.mkdir()
    folder.parent.chmod(0o700)
    account = unprivileged_account()
    home = prepare_home(folder / "postgres-18", account)
    # Only root runs the server as somebody who could not enter.
    assert is_outside(folder / "postgres-18") == (account is not None)
    assert home == prepare_home(folder / "postgres-18", account)
    assert home.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_uid == (account.uid if account else os.geteuid())
    claim(folder).clear()
    assert not home.exists()
    assert not folder.exists()


def test_an_open_parent_keeps_the_data_inside(open_folder: Path) -> None:
    home = prepare_home(open_folder / "postgres-18", unprivileged_account())
    assert home == open_folder / "postgres-18"


def test_a_link_whose_target_was_cleared_away_is_made_anew(folder: Path) -> None:
    folder.mkdir()
    (folder / "postgres-18").symlink_to("/var/tmp/fleet-data-gone")  # noqa: S108 - it is not there
    assert prepare_home(folder / "postgres-18", unprivileged_account()).is_dir()


def test_links_to_elsewhere_are_not_followed(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "fleet-data-precious"
    precious.mkdir()
    held = claim(folder)
    (folder / "postgres-18").symlink_to(precious)
    held.clear()
    assert precious.is_dir()


def test_someone_elses_data_are_refused(folder: Path) -> None:
    folder.mkdir()
    account = unprivileged_account()
    home = prepare_home(folder / "postgres-18", account)
    if account is not None:
        os.chown(home, 0, 0)
        with pytest.raises(EmbeddedError, match="belongs to user 0, and the server would run as user"):
            prepare_home(folder / "postgres-18", account)
    else:
        folder.chmod(0o500)
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            claim(folder)
        folder.chmod(0o700)


def test_of_many_who_claim_a_folder_at_once_one_gets_it(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    folders = 200
    racers = [python(RACE, tmp_path, str(folders)) for _ in range(3)]
    won: list[str] = []
    for racer in racers:
        assert racer.stdout is not None
        won += racer.stdout.readline().split()
    assert sorted(map(int, won)) == list(range(folders))
