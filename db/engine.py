"""Connections to PostgreSQL, by way of SQLAlchemy or of psycopg alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

# A peer that vanished without a word is noticed after a minute; the system's default is two hours.
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Build an engine that also works through a transaction pooler. Connects to nothing yet.

    Args:
        url: The database, as ``postgresql://`` or ``postgres://``.
        pool_size: How many connections are held at most; who wants one more waits for it, up to 30 seconds.

    Raises:
        ValueError: The URL is not one of PostgreSQL.
    """
    return create_engine(
        _parse(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        # Parameters are people's names and addresses: no error message and no log line may quote them.
        hide_parameters=True,
        connect_args={
            "application_name": "fleet",
            "connect_timeout": 10,
            # A statement prepared on one server connection is unknown on the next that the pooler hands out.
            "prepare_threshold": None,
            **KEEPALIVE,
        },
    )


def dsn(url: str) -> str:
    """Give the same database as a URL that libpq, and so plain psycopg, understands.

    Args:
        url: As for ``make_engine``.

    Raises:
        ValueError: The URL is not one of PostgreSQL.
    """
    return _parse(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _parse(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ValueError(f"The database URL must begin with postgresql://, not {parsed.drivername}://.")
    return parsed
