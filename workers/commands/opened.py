"""The database, for as long as a command looks at it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from workers.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def database() -> Iterator[sessionmaker[Session]]:
    """Yield what makes sessions on the database that the settings name.

    Raises:
        SettingsError: They name none.
    """
    engine = make_engine(DatabaseSettings.load().database_url.get_secret_value(), pool_size=1)
    try:
        yield sessionmaker(engine, expire_on_commit=False)
    finally:
        engine.dispose()


@contextmanager
def rehearsed(sessions: sessionmaker[Session], *, dry_run: bool) -> Iterator[Session]:
    """Yield a session whose changes are kept at the end, or taken back where it is a dry run."""
    with sessions.begin() as session:
        yield session
        if dry_run:
            session.rollback()
