"""The commands as people run them: everything at once, and what stops a start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import urllib3

from workers.dev.embedded.folders import sweep
from workers.dev.processes import ChildProcess, wait_until
from workers.dev.stack import bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.e2e

DEADLINE = 60.0
SETTINGS = {
    "SENDGRID_API_KEY": "SG.made-up",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVbNmoROK8sNkdY1hJtZra1/J8X"
        "ikDdMUour6mHJ9GU+vMHTpruizqdxt2YX2Ck/1J7F1kQXW6bADcl4cHCBltw=="
    ),
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "made-up",
    "TWILIO_SMS_PHONE": "+33639980001",
    "TWILIO_WHATSAPP_PHONE": "+33639980002",
    "STRIPE_SECRET_KEY": "made-up",
    "STRIPE_WEBHOOK_SECRET": "whsec_made-up",
    "EMAIL_FROM": "bonjour@example.com",
    "APP_URL": "https://app.example.com",
    "PUBLIC_URL": "https://fleet.example.com",
}


def _start(
    folder: Path, *command: str, environment: dict[str, str] | None = None, log: str = "out.log"
) -> ChildProcess:
    given = bare_environment(os.environ) | {"PYTHONUNBUFFERED": "1"} | (environment or {})
    command = (sys.executable, "-m", "workers.cli", *command)
    return ChildProcess(command, log=folder / log, env=given, cwd=folder)


def _stat(pid: int) -> tuple[str, int]:
    """A process's state and its parent; a zombie without one where it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return "Z", 0
    return state, int(parent)


def _descendants(pid: int) -> set[int]:
    parents = {int(path.name): _stat(int(path.name))[1] for path in Path("/proc").glob("[0-9]*")}
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def _alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _stat(pid)[0] != "Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    sweep(tmp_path / ".fleet", ["up"])


def test_up_starts_everything_and_ctrl_c_ends_it_all(folder: Path) -> None:
    up = _start(folder, "up")
    assert wait_until(lambda: "Ctrl-C" in up.output(60), DEADLINE), up.output(60)
    for page in re.findall(r"Mail that was sent\s*│\s*(http\S+)", up.output(60)):
        assert urllib3.request("GET", page, retries=False).status == 200
    children = _descendants(up.pid)
    assert len(children) >= 8  # six processes and two servers
    file = folder / ".fleet/up/environment"
    assert file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(_sourced(file, "OWNER_DATABASE_URL")) as connection:
        assert connection.execute("select count(*) from products").fetchone() == (3,)

    second = _start(folder, "up", log="second.log")
    assert second.wait(DEADLINE)
    assert second.returncode == 3
    assert f"in use by process {up.pid}" in second.output()

    up.terminate(DEADLINE, [signal.SIGINT])
    assert up.returncode == 0
    assert wait_until(lambda: not _alive(children), DEADLINE)
    assert not file.exists()


def _sourced(file: Path, name: str) -> str:
    script = f'. "{file}"; printf %s "${name}"'
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout


def test_up_killed_leaves_nothing_running_and_the_next_takes_over(folder: Path) -> None:
    up = _start(folder, "up")
    assert wait_until(lambda: "Ctrl-C" in up.output(60), DEADLINE), up.output(60)
    database = re.findall(r"as its owner\s*│\s*(postgresql\S+)", up.output(60))[0]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table kept (n integer)")
    children = _descendants(up.pid)
    os.kill(up.pid, signal.SIGKILL)
    assert up.wait(DEADLINE)
    assert wait_until(lambda: not _alive(children), DEADLINE)

    again = _start(folder, "up", log="again.log")
    assert wait_until(lambda: "Ctrl-C" in again.output(60), DEADLINE), again.output(60)
    database = re.findall(r"as its owner\s*│\s*(postgresql\S+)", again.output(60))[0]
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    again.terminate(DEADLINE, [signal.SIGTERM])
    assert again.returncode == 0


def test_up_does_not_swallow_the_mail_of_a_distant_database(folder: Path) -> None:
    up = _start(folder, "up", environment={"DATABASE_URL": "postgresql://u:secret@db.example.com/platform"})
    assert up.wait(DEADLINE)
    assert up.returncode == 2
    assert "SENDGRID_API_KEY is not set" in up.output()
    assert "secret" not in up.output()


@pytest.mark.parametrize("process", ["worker", "relay", "beat", "ingress", "flower"])
def test_missing_settings_stop_the_start_with_one_message(folder: Path, process: str) -> None:
    started = _start(folder, process)
    assert started.wait(DEADLINE)
    assert started.returncode == 2
    for name in (*SETTINGS, "DATABASE_URL", "REDIS_URL"):
        assert name in started.output(60)
    assert "Traceback" not in started.output(60)


def test_a_database_that_does_not_answer_is_said_in_one_line(folder: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    current = _start(folder, "db", "current", environment=nowhere)
    assert current.wait(DEADLINE)
    assert current.returncode == 3
    assert "The database does not answer" in current.output()
    assert "secret" not in current.output()
