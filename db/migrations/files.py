"""What a revision is made of: a folder of SQL files, run or, where only the SQL is asked for, printed."""

from __future__ import annotations

from alembic import op

from db import sqlfiles


def run(folder: str) -> None:
    """Run the SQL files of a folder in the revision's transaction.

    Args:
        folder: As for ``db.sqlfiles.read``.
    """
    context = op.get_context()
    if not context.as_sql:
        sqlfiles.run(op.get_bind(), folder)
        return
    for script in sqlfiles.read(folder):
        context.impl.static_output(script)
