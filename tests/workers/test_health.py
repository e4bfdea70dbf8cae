"""What ``/health`` tells: the age of due work, whatever keeps it from being done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.queries import queues
from tasks.wakeups import CHANNELS
from tests.notifications.pipeline import email
from tests.workers.ingress_server import MAX_AGE, serving
from workers.ingress.health import Health

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client
    from workers.ingress.health import Report

QUIET = {"due": 0, "held": 0, "waiting": 0, "oldest_due_seconds": None}


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


def look(sessions: sessionmaker[Session], clock: Clock) -> Report:
    return Health(sessions, CHANNELS, MAX_AGE, clock).look()


def change(sessions: sessionmaker[Session], statement: str, **values: object) -> None:
    with sessions.begin() as session:
        session.execute(text(statement), values)


def test_a_quiet_day_is_a_healthy_one(
    sessions: sessionmaker[Session], clock: Clock, leaving: list[threading.Thread]
) -> None:
    with serving(sessions, clock, leaving) as caller:
        answer = caller.ask("/health")
        assert answer.status == 200
        assert answer.json()["status"] == "ok"
        assert answer.json()["queues"]["inbox"] == QUIET
        assert answer.headers["Cache-Control"] == "no-store"
        change(
            sessions,
            "insert into fleet.inbox (provider, callback_id, body, due_at) values ('twilio', 'a', '{}', :at)",
            at=clock.now - timedelta(seconds=MAX_AGE + 1),
        )
        assert caller.ask("/health").status == 200, "kept for a second"
    with serving(sessions, clock, leaving) as caller:
        assert caller.ask("/health").status == 503


@pytest.mark.parametrize(("age", "status"), [(MAX_AGE - 1, "ok"), (MAX_AGE + 1, "late")])
def test_due_work_must_be_young_in_every_queue(
    sessions: sessionmaker[Session],
    clock: Clock,
    app: Application,
    client: Client,
    age: float,
    status: str,
) -> None:
    delivery_id = email(app, client)
    app.event("ERROR", "order", client.order_id)
    change(
        sessions,
        "insert into fleet.attempts (delivery_id, number, channel, provider)"
        " values (:id, 1, 'EMAIL', 'sendgrid')",
        id=delivery_id,
    )
    change(
        sessions,
        "insert into fleet.lookups (token, kind, due_at) select token, 'SEARCH', now() from fleet.attempts",
    )
    change(sessions, "insert into fleet.inbox (provider, callback_id, body) values ('twilio', 'a', '{}')")
    tables = ("fleet.outbox", "fleet.dispatch", "fleet.inbox", "fleet.lookups")
    for table in tables:
        change(sessions, f"update {table} set due_at = :at", at=clock.now - timedelta(seconds=1))
    for table, queue in zip(tables, ("fanout", "email", "inbox", "lookups"), strict=True):
        change(sessions, f"update {table} set due_at = :at", at=clock.now - timedelta(seconds=age))
        report = look(sessions, clock)
        assert report.status == status
        assert report.queues[queue] == QUIET | {"due": 1, "oldest_due_seconds": age}
        change(sessions, f"update {table} set due_at = :at", at=clock.now - timedelta(seconds=1))


def test_the_oldest_counts_whatever_its_priority(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    for priority, age in ((1, 5), (2, 10), (3, 90)):
        change(
            sessions,
            "update fleet.dispatch set priority = :priority, due_at = :at where delivery_id = :id",
            id=email(app, client),
            priority=priority,
            at=clock.now - timedelta(seconds=age),
        )
    report = look(sessions, clock)
    assert report.status == "late"
    assert report.queues["email"] == QUIET | {"due": 3, "oldest_due_seconds": 90}


def test_what_is_held_waiting_or_parked_does_not_hide(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    soon, past = clock.now + timedelta(seconds=90), clock.now - timedelta(seconds=90)
    for columns in ("lease_until = :soon", "due_at = :soon", "parked_at = :past", "due_at = :past"):
        change(
            sessions,
            "update fleet.dispatch set due_at = :past where delivery_id = :id",
            id=(delivery_id := email(app, client)),
            past=past,
        )
        change(
            sessions,
            f"update fleet.dispatch set {columns} where delivery_id = :id"
            " and cast(:soon as timestamptz) > cast(:past as timestamptz)",
            id=delivery_id,
            soon=soon,
            past=past,
        )
    assert look(sessions, clock).queues["email"] == {
        "due": 1,
        "held": 0,
        "waiting": 1,
        "oldest_due_seconds": 90,
    }


@pytest.mark.parametrize(("seconds", "paused"), [(10, True), (-10, False)])
def test_a_pause_is_named_and_does_not_excuse(
    sessions: sessionmaker[Session],
    clock: Clock,
    app: Application,
    client: Client,
    seconds: float,
    *,
    paused: bool,
) -> None:
    email(app, client)
    change(sessions, "update fleet.dispatch set due_at = :at", at=clock.now - timedelta(seconds=90))
    until = clock.now + timedelta(seconds=seconds)
    change(
        sessions,
        "insert into fleet.channels (channel, kind, code, detail, paused_until)"
        " values ('EMAIL', 'BY_HAND', 'by_hand', '', :until)",
        until=until,
    )
    report = look(sessions, clock)
    expected: dict[str, Any] = {"due": 1, "held": int(paused), "waiting": 0, "oldest_due_seconds": 90}
    if paused:
        told = until.isoformat(timespec="seconds")
        expected["paused"] = {"kind": "BY_HAND", "code": "by_hand", "until": told}
    assert (report.status, report.queues["email"]) == ("late", expected)


def test_a_backlog_is_counted_only_so_far(
    sessions: sessionmaker[Session], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "COUNTED", 5)
    change(
        sessions,
        "insert into fleet.dispatch (delivery_id, channel, priority, due_at)"
        " select gen_random_uuid(), 'EMAIL', 1 + n % 3, :at - n * interval '1 second'"
        " from generate_series(0, 20) n",
        at=clock.now - timedelta(seconds=1),
    )
    report = look(sessions, clock)
    assert report.queues["email"] == {"due": 5, "held": 0, "waiting": 0, "oldest_due_seconds": 21}
