"""Upgrades that are killed: ``python -m tests.db.killing URL PART...``, each after a part of its statements.

A program of its own, because it forks: one import serves all, and no thread of a test is in the way.
"""

from __future__ import annotations

import math
import multiprocessing
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import Engine, event

from db import migrate, removal
from db.progress import quiet

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def main(url: str, *parts: str) -> None:
    """Print how many had not ended when they were killed."""
    whole, _ = _begun(url, math.inf)
    sys.stdout.write(str(sum(_begun(url, whole * float(part))[1] for part in parts)))


def _begun(url: str, limit: float) -> tuple[int, bool]:
    """Kill an upgrade with a statement under way: how many had begun, and whether it had not ended."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_upgrade, args=(url, writer))
    child.start()
    writer.close()
    begun = 0
    with suppress(EOFError):
        while begun < limit:
            reader.recv_bytes()
            begun += 1
        child.kill()
    child.join()
    if child.exitcode == 0:
        removal.remove(url, quiet)
    return begun, child.exitcode != 0


def _upgrade(url: str, writer: Connection) -> None:
    event.listen(Engine, "before_cursor_execute", lambda *_: writer.send_bytes(b"."))
    migrate.upgrade(url)


if __name__ == "__main__":
    main(*sys.argv[1:])
