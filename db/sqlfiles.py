"""SQL that lives in files of its own, run as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_ROOT = Path(__file__).parent / "sql"


def read(folder: str) -> Iterator[str]:
    """Yield the text of each SQL file in a folder, in the order of the files' names.

    Args:
        folder: A folder under ``db/sql``, such as ``platform``. Folders inside it are left out.

    Raises:
        FileNotFoundError: There is no SQL file in it.
    """
    paths = sorted((_ROOT / folder).glob("*.sql"))
    if not paths:
        raise FileNotFoundError(f"No SQL file in db/sql/{folder}.")
    for path in paths:
        yield path.read_text(encoding="utf-8")


def run(connection: Connection, folder: str) -> None:
    """Run the SQL files of a folder, each whole, in the connection's transaction.

    Args:
        connection: Neither committed nor rolled back here.
        folder: As for ``read``.
    """
    for script in read(folder):
        # Several statements in one string, and % or : that mean themselves, need a call without parameters.
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})
