"""Child processes that do not outlive the process that started them.

On Linux the kernel signals a child when its parent ends, however it ends (``PR_SET_PDEATHSIG``). Elsewhere a
parent killed with SIGKILL leaves its children running, and whoever starts next has to clear up.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

_POLL_SECONDS = 0.005
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# The kernel ties a child to the *thread* that forked it. Threads come and go, so children of any thread but
# the main one are forked by this one, which stays until the interpreter ends.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system to run a child as. Only root can choose one."""

    uid: int
    gid: int


class ChildProcess:
    """A running command, in a session of its own, its output appended to a log file.

    The terminal's ctrl-C does not reach it: whoever started it decides how it ends. What is left of its
    process group ends with it. Construction starts it and raises OSError if it cannot be executed.

    Args:
        command: program and arguments, no shell.
        log: the file that takes its output and errors; created readable by its owner only.
        env: the whole environment of the child; this process's own when None.
        cwd: its working folder; this process's own when None.
        account: the user to run as; this process's own when None.
        death_signal: what the kernel sends it when this process ends without ending it (Linux).
    """

    def __init__(  # noqa: PLR0913 - named, and each is what Popen leaves open
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._log = log
        self._ended = False
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._log_start = os.fstat(output).st_size
            start = functools.partial(
                subprocess.Popen[bytes],
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_tie(death_signal),
                **_as(account),
            )
            self._process = _in_lasting_thread(start)
        finally:
            os.close(output)

    @property
    def pid(self) -> int:
        """Its process id, also that of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, minus the signal's number if one ended it; None while it runs."""
        code = self._process.poll()
        if code is not None and not self._ended:
            # At once, and once: later the number may stand for another process's group.
            self._ended = True
            self._kill_group()
        return code

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.returncode is None

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs after that time."""
        return wait_until(lambda: not self.running, seconds)

    def terminate(self, seconds: float, signals: Iterable[signal.Signals] = (signal.SIGTERM,)) -> None:
        """Ask it to end: each signal in turn, with that many seconds for each, then SIGKILL."""
        for ask in signals:
            if self.running:
                self._process.send_signal(ask)
            if self.wait(seconds):
                return
        self.kill()

    def kill(self) -> None:
        """End it and all of its process group with SIGKILL, as a crash would."""
        if self.running:
            self._kill_group()
            self._process.wait()

    def output(self, lines: int = 15) -> str:
        """The last lines that were written to its log since it was started."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the latter if all are zombies
            os.killpg(self.pid, signal.SIGKILL)


def run_short(
    command: Sequence[str | Path], account: Account | None = None, seconds: float = 10
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, as that user or as oneself, in the root folder, and give its output.

    Raises:
        OSError: It cannot be executed, or not as that user.
        subprocess.TimeoutExpired: It took longer.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        cwd="/",
        **_as(account),
    )


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds, at most that long; whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _as(account: Account | None) -> dict[str, Any]:
    """The options of Popen that choose the user, without root's groups."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def _in_lasting_thread(fork: Callable[[], T]) -> T:
    if threading.current_thread() is threading.main_thread():
        return fork()
    return _forker.submit(fork).result()


def _tie(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child does between fork and exec so that the kernel ends it with this process.

    Python code after a fork in a process with threads must take no lock and import nothing: all is looked up
    here, two system calls are left.
    """
    prctl = _prctl()
    if prctl is None:
        return None
    parent, number = os.getpid(), int(death_signal)

    def tie() -> None:
        # Popen has changed the user by now, which would clear the setting. A parent that died before the
        # setting was made will never trigger it.
        if prctl(_PR_SET_PDEATHSIG, number) != 0 or os.getppid() != parent:
            os._exit(127)

    return tie


@functools.cache
def _prctl() -> Callable[[int, int], int] | None:
    return ctypes.CDLL(None).prctl if sys.platform == "linux" else None
