"""Servers whose parent died without ending them: known by their process id and their command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from workers.dev.processes import wait_until

# Good order first; then without waiting for anything; then as a crash. The same for PostgreSQL and Redis.
_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


def mentions(pid: int, path: Path) -> bool:
    """Whether a live process has that path, or one below it, among its arguments.

    Process ids are used again, so a number read from a file says nothing by itself.
    """
    return re.search(rf"(?<!\S){re.escape(str(path))}(?=[\s/]|$)", _command_line(pid)) is not None


def stop_leftover(pid: int, path: Path, seconds: float = 5) -> bool:
    """Stop a server if the process still runs and is the one with that path.

    Returns:
        Whether there was one to stop.

    Raises:
        PermissionError: It belongs to another user.
    """
    if not mentions(pid, path):
        return False
    for ask in _SIGNALS:
        try:
            os.kill(pid, ask)
        except ProcessLookupError:
            break
        if wait_until(lambda: not mentions(pid, path), seconds):
            break
    return True


def _command_line(pid: int) -> str:
    """The arguments of a process, joined by spaces; empty if it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
