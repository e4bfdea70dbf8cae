"""One connection for the whole upgrade, and transactions on it that keep nobody waiting for long."""

from __future__ import annotations

import logging
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from db.engine import KEEPALIVE, dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

logger = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[object, ...]]

T = TypeVar("T")

# While the upgrade waits for a lock, all who come after it wait too: so it gives up soon, and comes again.
_LOCK_MILLISECONDS = 400
_TRIES = 60
_LONGEST_PAUSE_SECONDS = 2.0
_POLL_SECONDS = 0.5

_BUSY = (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected)

# Not the lock of db.migrate, which its caller may hold: "v1 to v2" in ASCII.
_ALONE = 0x7631746F7632


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """Open the connection, once nobody else upgrades this database; who does is waited for.

    Args:
        database_url: As for ``make_engine``; a session's own connection, not a transaction pooler's.
    """
    address = make_conninfo(dsn(database_url), application_name="fleet", **KEEPALIVE)
    with (
        psycopg.connect(address, prepare_threshold=None) as guard,
        psycopg.connect(address, autocommit=True, prepare_threshold=None) as connection,
    ):
        # An index build waits for whoever has a snapshot, until that transaction ends: who waits for the lock
        # asks in a new one each time, and who has it keeps no statement open, as a prepared one would be.
        while not _is_alone(guard):
            guard.rollback()
            time.sleep(_POLL_SECONDS)
        # The server tells of everything that a guard found done already.
        connection.execute("set client_min_messages = warning")
        connection.execute("set search_path = public, pg_temp")
        connection.execute("set statement_timeout = 0")
        connection.execute("set maintenance_work_mem = '256MB'")
        yield connection


def _is_alone(guard: Connection) -> bool:
    guard.execute("set local idle_in_transaction_session_timeout = 0")
    return guard.execute(f"select where pg_try_advisory_xact_lock({_ALONE})").fetchone() is not None


def patiently(work: Callable[[], T], what: str) -> T:
    """Do what gives up on a lock again, until it gets it.

    Args:
        work: A whole transaction.
        what: The tables, for the error.

    Raises:
        TimeoutError: Some other transaction held the tables all along.
    """
    for attempt in range(_TRIES):
        try:
            return work()
        except _BUSY:
            logger.info("waiting for a lock on %s", what)
            ceiling = min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(attempt, 5))
            time.sleep(random.uniform(ceiling / 2, ceiling))  # noqa: S311 -- no secret, only spread
    raise TimeoutError(
        f"No lock on {what} in {_TRIES} tries: end the long transactions in pg_stat_activity, and run again."
    )


def locking(connection: Connection, tables: Sequence[str], script: bytes | sql.Composed) -> None:
    """Run a script in a transaction that holds tables for itself, after a short wait at most.

    Args:
        connection: In autocommit.
        tables: All that the script alters.
        script: Statements that take milliseconds once the locks are there.
    """
    names = sql.SQL(", ").join(sql.Identifier("public", table) for table in tables)

    def work() -> None:
        with connection.transaction():
            # Against this lock only vacuum and the like have a say, no reader and no writer. Autovacuum
            # gives way after a second, which the wait for the second lock would not give it.
            connection.execute(sql.SQL("lock table {} in share update exclusive mode").format(names))
            # The time of the whole statement: a lock_timeout would count anew for each table.
            connection.execute(f"set local statement_timeout = {_LOCK_MILLISECONDS}")
            connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
            connection.execute("set local statement_timeout = 0")
            connection.execute(script)

    patiently(work, ", ".join(tables))


def batch(connection: Connection, what: str, work: Callable[[], T]) -> T:
    """Do a batch of row changes in a transaction that is the first to give way to a writer.

    Args:
        connection: In autocommit.
        what: The table, for the error.
        work: Called inside the transaction, once per try.
    """

    def transaction() -> T:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = {_LOCK_MILLISECONDS}")
            # A batch is a small part of its table. A plan that reads the whole table for each is never right.
            for method in ("seqscan", "hashjoin", "mergejoin"):
                connection.execute(sql.SQL("set local {} = off").format(sql.Identifier(f"enable_{method}")))
            connection.execute("set local jit = off")
            return work()

    return patiently(transaction, what)
