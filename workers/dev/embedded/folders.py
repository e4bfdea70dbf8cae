"""Who may use a folder of servers: locks that end with their holder, and what is left when one died.

A lock is an flock on ``<part>.lock`` in the folder: ``folder`` for whoever uses the whole of it, and one part
per server. The kernel drops it when its holder ends, however it ends: one that can be taken is no one's.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from workers.dev.embedded.errors import EmbeddedError, FolderInUse
from workers.dev.embedded.leftovers import stop_leftover

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

# Where each server writes its process id, below the folder.
_PID_FILES = {"postgres": "postgres-*/data/postmaster.pid", "redis": "redis/redis.pid"}

# Survives reboots and can be entered by every user.
OUTSIDE = Path("/var/tmp")  # noqa: S108 - only folders made by mkdtemp are used in it
OUTSIDE_PREFIX = "fleet-data-"


class Claim:
    """The right to use a folder, or one part of it, until released or until this process ends."""

    def __init__(self, folder: Path, part: str, lock: int) -> None:
        self.folder = folder
        self.part = part
        self._lock: int | None = lock

    def release(self) -> None:
        """Let others have it. Repeating this is harmless."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clear(self) -> None:
        """Stop the servers that still run in the folder, remove it and what it links to, and release it.

        Raises:
            FolderInUse: Another part of it is held, by this process or another; nothing was touched.
        """
        with ExitStack() as others:
            others.callback(self.release)
            for part in _parts(self.folder):
                if part != self.part:
                    others.enter_context(claim(self.folder, part))
            for part in _PID_FILES:
                stop_leftovers(self.folder, part)
            for path in self.folder.iterdir():
                if is_outside(path):
                    shutil.rmtree(path.readlink())
                elif path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
            # The locks last: what an interrupted removal leaves is still found by a sweep.
            shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def claim(folder: Path, part: str = "folder") -> Claim:
    """Take a folder, made if it is not there, for this process.

    Raises:
        FolderInUse: Another process holds it; the message names its process id.
        EmbeddedError: It belongs to another user.
    """
    folder = folder.absolute()
    path = folder / f"{part}.lock"
    lock: int | None = None
    try:
        while lock is None:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock_existing(path) if path.exists() else _lock_new(path)
    except BlockingIOError:
        raise FolderInUse(_in_use(path)) from None
    except PermissionError as error:
        raise EmbeddedError(
            f"{folder} belongs to another user. Remove it, or go on as that user ({error})."
        ) from error
    return Claim(folder, part, lock)


def stop_leftovers(folder: Path, part: str) -> None:
    """Stop the servers of that part whose parent is gone, and remove what says that they run.

    Only for the holder of the part: to anyone else they may be in good hands.
    """
    for pid_file in folder.glob(_PID_FILES[part]):
        first, *_ = pid_file.read_text().split() or [""]
        if first.isdecimal() and stop_leftover(int(first), pid_file.resolve().parent):
            logger.info("stopped a left-over server, process %s", first)
        pid_file.unlink(missing_ok=True)


def sweep(parent: Path, patterns: Iterable[str] = ("demo-*", "test-*")) -> list[Path]:
    """Remove the throwaway folders whose users are gone, with the servers that still run in them.

    A folder that nobody ever claimed is somebody's own or about to be claimed, and stays, as does one that
    cannot be removed (it belongs to another user).

    Returns:
        The folders removed.
    """
    removed = []
    for folder in sorted(path for pattern in patterns for path in parent.absolute().glob(pattern)):
        parts = [] if folder.is_symlink() else _parts(folder)
        if not parts:
            continue
        try:
            claim(folder, parts[0]).clear()
        except FolderInUse:
            continue
        except (OSError, EmbeddedError) as error:
            logger.warning("could not remove %s: %s", folder, error)
        else:
            removed.append(folder)
    return removed


def is_outside(path: Path) -> bool:
    """Whether this links to a data folder in /var/tmp, made for it, that may be followed and removed."""
    if not path.is_symlink():
        return False
    target = path.readlink()
    return (
        target.parent == OUTSIDE
        and target.name.startswith(OUTSIDE_PREFIX)
        and target.is_dir()
        and not target.is_symlink()
    )


def _parts(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.lock"))


def _lock_existing(path: Path) -> int | None:
    """The lock, or None if the file went away meanwhile; BlockingIOError if somebody holds it."""
    with ExitStack() as undo:
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino != os.fstat(lock).st_ino:
                return None  # its last holder removed the folder before we had the lock
        except FileNotFoundError:
            return None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        undo.pop_all()
        return lock


def _lock_new(path: Path) -> int | None:
    """The lock, or None if another process was first. The file appears locked: no sweep finds it free."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with ExitStack() as undo:
        try:
            lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(lock, str(os.getpid()).encode())
            os.link(draft, path)
        except (FileExistsError, FileNotFoundError):
            return None
        finally:
            draft.unlink(missing_ok=True)
        undo.pop_all()
        return lock


def _in_use(path: Path) -> str:
    holder = ""
    with suppress(OSError):
        holder = path.read_text()
    who = f"process {holder}" if holder else "another process"
    return f"{path.parent} is in use by {who}. Stop it first, or use another folder."
