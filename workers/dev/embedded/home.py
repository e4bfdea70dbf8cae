"""Where a server's files lie and whom they belong to.

PostgreSQL refuses to run as root, so for root it runs as ``nobody``, who must be able to reach its data. A
folder below a closed one (a checkout in /root) holds a link instead, and the data lie in /var/tmp.
"""

from __future__ import annotations

import os
import pwd
import secrets
import tempfile
from typing import TYPE_CHECKING

from workers.dev.embedded.errors import EmbeddedError
from workers.dev.embedded.folders import OUTSIDE, OUTSIDE_PREFIX, is_outside
from workers.dev.processes import Account, run_short

if TYPE_CHECKING:
    from pathlib import Path

_PASSWORD_BYTES = 24


def unprivileged_account() -> Account | None:
    """The user to run PostgreSQL as: None, which is oneself, unless this process is root.

    Raises:
        EmbeddedError: This is root, and there is no ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it as. "
            "Run this as an ordinary user, or set DATABASE_URL."
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def prepare_home(path: Path, account: Account | None = None) -> Path:
    """Make the folder of a server's files, or find it again.

    Args:
        path: where to look for it, and where to make it or the link to it.
        account: who runs the server and shall own it; oneself when None.

    Returns:
        Its real path, free of links.

    Raises:
        EmbeddedError: It is there and belongs to someone else.
    """
    if path.is_symlink() and not is_outside(path):
        path.unlink()  # its target was cleared away, as happens in /var/tmp
    if not path.exists():
        if account is None or _can_enter(account, path.parent):
            path.mkdir(mode=0o700)
        else:
            path.symlink_to(tempfile.mkdtemp(dir=OUTSIDE, prefix=OUTSIDE_PREFIX))
        give(path.resolve(), account)
    home = path.resolve()
    owner, runner = home.stat().st_uid, account.uid if account else os.geteuid()
    if owner != runner:
        raise EmbeddedError(
            f"{path} belongs to user {owner}, and the server would run as user {runner}. "
            "Remove the folder, or go on as its owner."
        )
    return home


def stored_password(path: Path, account: Account | None = None) -> str:
    """The password in a file that only the server's owner can read; made up on the first call."""
    if not path.exists():
        write_private(path, secrets.token_hex(_PASSWORD_BYTES), account)
    return path.read_text(encoding="ascii")


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file, whole or not at all, that only the server's owner can read."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text, encoding="utf-8")
    give(draft, account)
    draft.replace(path)


def give(path: Path, account: Account | None) -> None:
    """Make the account the owner of a file or folder; nothing to do when it is one's own."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _can_enter(account: Account, folder: Path) -> bool:
    # Asked of the system rather than of mode bits: access lists and mounts have their say too.
    return run_short(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], account).returncode == 0
