"""Changing a live database's schema: one at a time, and never long in the way of those who write to it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from db.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, CursorResult
    from tenacity import RetryCallState

    from db.progress import Progress

T = TypeVar("T")

# Any number does, so long as all who migrate agree on it and nobody else takes it: "fleet" in ASCII.
LOCK = 0x666C656574

# Held during the long upgrade from v1, whose many transactions each come and go; "fleet1" in ASCII.
_LONG_LOCK = 0x666C65657431
_POLL_SECONDS = 0.2

# Who waits for a table's lock holds up all who come after; so the wait is short, and begun again instead.
LOCK_TIMEOUT_MS = 500
TRIES = 30
_PAUSE_SECONDS = (0.2, 1.5)

_IN_THE_WAY = """
select format('%s (pid %s, %s, for %s)', coalesce(nullif(a.application_name, ''), a.usename), a.pid, a.state,
  date_trunc('second', clock_timestamp() - a.xact_start))
from pg_stat_activity a
where a.pid <> pg_backend_pid() and exists (
  select from pg_locks l join pg_class c on c.oid = l.relation
  where l.pid = a.pid and l.granted and c.relnamespace = to_regnamespace('public')
    and l.database = (select oid from pg_database where datname = current_database())
)
order by a.xact_start
limit 5
"""


class BusyError(Exception):
    """A lock on a table could not be had in time. Nothing was changed."""


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    """Give a connection of one's own, committed at the end.

    Args:
        database_url: As for ``make_engine``.
    """
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def alone(database_url: str) -> Iterator[Connection]:
    """Give a connection of one's own that no other migration has at the same time; who comes later waits.

    Args:
        database_url: As for ``make_engine``.
    """
    with connected(database_url) as connection:
        _unlimited(connection)
        # The lock ends with the transaction: a session's lock would not survive a transaction pooler.
        _simple(connection, f"select pg_advisory_xact_lock({LOCK})")
        yield connection


@contextmanager
def alone_for_long(database_url: str) -> Iterator[None]:
    """Let nobody else into the body at the same time, however long it takes, without holding anything up.

    An index that is built concurrently waits until every transaction that has had an older snapshot ends: who
    waits outside asks in a new transaction each time, and who is inside holds no snapshot.

    Args:
        database_url: As for ``make_engine``.
    """
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            while not _long_lock(connection):
                connection.rollback()
                time.sleep(_POLL_SECONDS)
            yield
    finally:
        engine.dispose()


def _long_lock(connection: Connection) -> bool:
    _unlimited(connection)
    return _simple(connection, f"select pg_try_advisory_xact_lock({_LONG_LOCK})").scalar() is True


def _unlimited(connection: Connection) -> None:
    """However long it waits for its turn and then takes, no setting of the role or the server ends it."""
    for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        _simple(connection, f"set local {setting} = 0")


def _simple(connection: Connection, statement: str) -> CursorResult[Any]:
    """With parameters, the portal would stay open, and keep its snapshot until the next statement."""
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def patiently(database_url: str, work: Callable[[Connection], T], progress: Progress) -> T:
    """Do work in one transaction, alone; where a table's lock is not had at once, roll back and begin again.

    Args:
        database_url: As for ``make_engine``.
        work: What to do; begun anew each time.
        progress: Told of each try that found a table locked.

    Raises:
        BusyError: The locks could not be had in ``TRIES`` tries.
    """

    def told(state: RetryCallState) -> None:
        progress("waiting: the platform's tables are in use", state.attempt_number, TRIES)

    tries = Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_attempt(TRIES),
        wait=wait_random(*_PAUSE_SECONDS),
        before_sleep=told,
        reraise=True,
    )
    try:
        result: T = tries(_once, database_url, work)
    except OperationalError as error:
        if not _is_busy(error):
            raise
        raise BusyError(_message(database_url)) from error
    return result


def _once(database_url: str, work: Callable[[Connection], T]) -> T:
    with alone(database_url) as connection:
        connection.execute(
            text("select set_config('lock_timeout', :ms, true)"), {"ms": f"{LOCK_TIMEOUT_MS}ms"}
        )
        return work(connection)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and isinstance(
        error.orig, errors.LockNotAvailable | errors.DeadlockDetected
    )


def _message(database_url: str) -> str:
    with connected(database_url) as connection:
        others = connection.scalars(text(_IN_THE_WAY)).all()
    who = f" In the way: {', '.join(others)}." if others else ""
    return (
        f"The platform's tables were in use at each of {TRIES} tries; nothing was changed.{who} "
        "Run it again at a quieter time, or end the long transactions first."
    )
