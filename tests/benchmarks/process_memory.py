"""Memory, threads and lines of processes, read from Linux's ``/proc``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_REMOTE, _STATE, _INODE = 2, 3, 9  # of a line of proc_net_tcp(5)
_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, in MB.

    Attributes:
        now: Resident.
        peak: The most that was ever resident.
        own: Resident, with pages that are shared with others counted in part.
    """

    now: float
    peak: float
    own: float


def memory(pid: int) -> Memory:
    """The memory of one process."""
    status = (_PROC / str(pid) / "status").read_text()
    rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
    return Memory(_megabytes("VmRSS", status), _megabytes("VmHWM", status), _megabytes("Pss", rollup))


def threads(pid: int) -> int:
    """The threads of one process."""
    return len(list((_PROC / str(pid) / "task").iterdir()))


def lines_to(pid: int, port: int) -> int:
    """How many TCP connections to a port of this machine one process has open."""
    inodes = set()
    for descriptor in (_PROC / str(pid) / "fd").iterdir():
        if match := _SOCKET.fullmatch(str(descriptor.readlink())):
            inodes.add(match[1])
    found = (line.split() for line in (_PROC / str(pid) / "net/tcp").read_text().splitlines()[1:])
    return sum(
        fields[_INODE] in inodes
        and fields[_STATE] == _ESTABLISHED
        and int(fields[_REMOTE].rpartition(":")[2], 16) == port
        for fields in found
    )


def _megabytes(name: str, text: str) -> float:
    match = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    assert match, f"no {name}"
    return int(match[1]) / 1024
