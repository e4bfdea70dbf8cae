from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg

from db.engine import dsn
from db.v1 import session
from tests.waiting import wait_for

if TYPE_CHECKING:
    import pytest

# psycopg prepares a statement from its sixth time on, unless it is told not to.
STATEMENTS = 30
CHANGES = """
select state_change from pg_stat_activity
where datname = current_database() and application_name = 'fleet' and pid <> pg_backend_pid()
"""


def test_who_waits_for_its_turn_holds_up_no_index(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that is built concurrently waits for whoever has a snapshot, to the end of its transaction."""
    monkeypatch.setattr(session, "_POLL_SECONDS", 0.01)
    waited = threading.Event()

    def wait() -> None:
        with session.connect(empty_database):
            waited.set()

    waiter = threading.Thread(target=wait)
    with psycopg.connect(dsn(empty_database), autocommit=True) as other:
        other.execute("create table rows (id integer)")
        with session.connect(empty_database) as upgrade:
            upgrade.execute("set statement_timeout = '10s'")
            waiter.start()
            changes = set[object]()

            def has_asked_often() -> bool:
                changes.update(other.execute(CHANGES).fetchall())
                return len(changes) > STATEMENTS

            wait_for(has_asked_often)
            for _ in range(3):
                upgrade.execute("create index concurrently on rows (id)")
            assert not waited.is_set()
    waiter.join(10)
    assert waited.is_set()
