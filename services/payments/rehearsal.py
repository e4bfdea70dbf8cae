"""A transaction that is kept, or, to see what it would do, taken back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker


@contextmanager
def transaction(sessions: sessionmaker[Session], *, dry_run: bool) -> Iterator[Session]:
    """Open a transaction that commits at the end; in a dry run everything in it is taken back instead."""
    with sessions.begin() as session:
        yield session
        if dry_run:
            session.rollback()
