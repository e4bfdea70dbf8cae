"""Alembic, driven from code: bring a database to a revision, or tell which one it is at."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from db.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

VERSION_TABLE: dict[str, Any] = {"version_table": "schema_version", "version_table_schema": "fleet"}

# Any number does, so long as all who migrate agree on it and nobody else takes it: "fleet" in ASCII.
_LOCK = 0x666C656574


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database up to a revision, all or nothing.

    Who comes while another is at it waits, and then finds nothing left to do. Within one process, one
    database at a time: Alembic keeps its context in module globals.

    Args:
        database_url: As for ``make_engine``.
        revision: Where to end.
    """
    with _locked(database_url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Take the database back to a revision, all or nothing. What the later ones held is lost.

    Args:
        database_url: As for ``make_engine``.
        revision: Where to end; ``base`` undoes all.
    """
    with _locked(database_url) as connection:
        command.downgrade(_config(connection), revision)


def current(database_url: str) -> str | None:
    """Tell the revision that the database is at; None where no migration ever ran.

    Args:
        database_url: As for ``make_engine``.
    """
    with _connection(database_url) as connection:
        return MigrationContext.configure(connection, opts=VERSION_TABLE).get_current_revision()


@contextmanager
def _locked(database_url: str) -> Iterator[Connection]:
    with _connection(database_url) as connection:
        # The lock ends with the transaction: a session's lock would not survive a transaction pooler.
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


@contextmanager
def _connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    # The value passes through configparser, to which a lone % is an error.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
