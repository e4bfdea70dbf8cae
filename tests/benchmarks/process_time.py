"""CPU time of process trees, read from Linux's ``/proc``; elsewhere there is none, and it is not a number."""

from __future__ import annotations

import math
import os
from pathlib import Path

_PROC = Path("/proc")
_PARENT, _FIRST_TIME, _TIMES = 1, 11, 4  # of the fields after the command's name, proc_pid_stat(5)


def cpu_seconds(root: int) -> float:
    """User and system time of a process and all that descend from it, those that have ended included.

    Args:
        root: The process; 0 for none.
    """
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile, and its parent has its time
        pid = int(stat.parent.name)
        parents[pid] = int(fields[_PARENT])
        ticks = fields[_FIRST_TIME : _FIRST_TIME + _TIMES]
        times[pid] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    tree = [pid for pid in times if _descends(pid, root, parents)]
    return sum(times[pid] for pid in tree) if tree else math.nan


def parent_of(pid: int) -> int:
    """The parent of a process; 0 where that cannot be told."""
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_PARENT])
    except OSError:
        return 0


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid and pid != root:
        pid = parents.get(pid, 0)
    return pid == root != 0
