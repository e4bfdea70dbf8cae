"""Whether a connection keeps one session, or a transaction pooler lends it another for each transaction."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from db.engine import KEEPALIVE, dsn

_HEARD_SECONDS = 1.0


class PooledError(Exception):
    """A connection that keeps its session is needed, and this is a transaction pooler's."""


def listener(database_url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to hear notifications: each statement is a transaction, and a peer that vanished is noticed.

    Args:
        database_url: As for ``make_engine``.

    Raises:
        psycopg.OperationalError: The database does not answer.
    """
    parameters: dict[str, Any] = {"application_name": "fleet-relay", "connect_timeout": 10, **KEEPALIVE}
    return psycopg.connect(dsn(database_url), autocommit=True, prepare_threshold=None, **parameters)


def keeps_sessions(database_url: str) -> bool:
    """Tell whether what is set in a session is still there in its next transaction, by whether LISTEN is.

    Behind a transaction pooler LISTEN succeeds, and nothing is ever heard; that takes a second to tell, all
    else some milliseconds. A session pooler and a direct connection are alike. On a stalled server the answer
    may be no by mistake.

    Args:
        database_url: As for ``make_engine``.

    Raises:
        psycopg.OperationalError: The database does not answer.
    """
    # A name that nobody else uses: a LISTEN that stays behind on a pooler's connection is never woken.
    channel = f"fleet_{uuid4().hex}"
    with listener(database_url) as hearing, listener(database_url) as telling:
        hearing.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        telling.execute("select pg_notify(%s, '')", [channel])
        heard = any(True for _ in hearing.notifies(timeout=_HEARD_SECONDS, stop_after=1))
        hearing.execute(sql.SQL("unlisten {}").format(sql.Identifier(channel)))
    return heard
