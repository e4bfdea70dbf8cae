from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workers.dev.embedded.leftovers import mentions, stop_leftover
from workers.dev.processes import ChildProcess, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
FAMILY = """
import subprocess, sys, time
print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
time.sleep(600)
"""
PARENT = """
import sys, time
from pathlib import Path
from workers.dev.processes import ChildProcess

child = ChildProcess(["sleep", "600"], log=Path(sys.argv[1]) / "child.log")
print(child.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_when_asked(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "600"], log=tmp_path / "log")
    assert child.running
    child.terminate(10)
    assert child.returncode == -signal.SIGTERM
    child.terminate(10)
    child.kill()


def test_it_is_killed_when_it_does_not_listen(tmp_path: Path) -> None:
    child = ChildProcess([sys.executable, "-c", DEAF], log=tmp_path / "log")
    assert wait_until(lambda: "deaf" in child.output(), 10)
    child.terminate(0.1)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_its_own_children_end_with_it(tmp_path: Path, end: signal.Signals) -> None:
    child = ChildProcess([sys.executable, "-c", FAMILY], log=tmp_path / "log")
    assert wait_until(lambda: child.output().isdecimal(), 10)
    grandchild = int(child.output())
    assert mentions(grandchild, Path("600"))
    if end == signal.SIGTERM:
        child.terminate(10)
    else:
        child.kill()
    assert wait_until(lambda: not mentions(grandchild, Path("600")), 10)


def test_it_ends_with_its_parent(tmp_path: Path, python: Callable[..., subprocess.Popen[str]]) -> None:
    parent = python(PARENT, tmp_path)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert mentions(pid, Path("600"))
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not mentions(pid, Path("600")), 10)


def test_its_log_goes_on_and_its_output_starts_anew(tmp_path: Path) -> None:
    for word in ("first", "second"):
        child = ChildProcess(["echo", word], log=tmp_path / "log")
        assert child.wait(10)
        assert child.output() == word
    assert (tmp_path / "log").read_text() == "first\nsecond\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_command_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess([tmp_path / "nothing"], log=tmp_path / "log")


def test_a_process_is_known_by_a_whole_path(tmp_path: Path) -> None:
    mark = tmp_path / "postgres-18"
    child = ChildProcess([sys.executable, "-c", DEAF, mark], log=tmp_path / "log")
    assert wait_until(lambda: "deaf" in child.output(), 10)
    assert mentions(child.pid, mark)
    assert mentions(child.pid, tmp_path)
    assert not mentions(child.pid, tmp_path / "postgres-1")
    assert not stop_leftover(child.pid, tmp_path / "postgres-1")
    assert child.running
    assert stop_leftover(child.pid, mark)
    assert child.wait(10)
    assert not stop_leftover(child.pid, mark)
