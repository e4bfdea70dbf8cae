"""What the relay's poll, the sweeps and the operators see of the queues."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.queries import queues
from tests.notifications.pipeline import email

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.queues import QueueState
    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

CHANNELS = ["EMAIL", "IN_APP"]


def due(sessions: sessionmaker[Session], clock: Clock) -> list[str]:
    with sessions() as session:
        return sorted(queues.due(session, CHANNELS, clock()))


def states(sessions: sessionmaker[Session], clock: Clock) -> dict[str, QueueState]:
    with sessions() as session:
        return {state.queue: state for state in queues.states(session, clock())}


def counts(state: QueueState) -> tuple[int, int, int, int, int]:
    return state.due, state.leased, state.waiting, state.unknown, state.parked


def change(sessions: sessionmaker[Session], statement: str, **values: object) -> None:
    with sessions.begin() as session:
        session.execute(text(statement), values)


def store(sessions: sessionmaker[Session], callback_id: str) -> None:
    change(
        sessions,
        "insert into fleet.inbox (provider, callback_id, body) values ('sendgrid', :id, '{}')",
        id=callback_id,
    )


def attempt(sessions: sessionmaker[Session], delivery_id: UUID) -> None:
    change(
        sessions,
        "insert into fleet.attempts (delivery_id, number, channel, provider)"
        " values (:id, 1, 'EMAIL', 'sendgrid')",
        id=delivery_id,
    )


def test_nothing_is_due_on_a_quiet_day(sessions: sessionmaker[Session], clock: Clock) -> None:
    assert due(sessions, clock) == []
    quiet = states(sessions, clock)
    assert quiet.keys() == {"fanout", "notices", "advances", "reminders", "inbox", "payments", "lookups"}
    assert all(counts(state) == (0, 0, 0, 0, 0) for state in quiet.values())
    assert all(state.oldest_due_seconds is None for state in quiet.values())


def test_what_is_due_is_told_by_queue_with_the_age_of_the_oldest(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    app.event("ERROR", "order", client.order_id)
    email(app, client)
    app.deliver(app.notify(client, "a", "b"), "SMS", "+33639980001")
    store(sessions, "one")
    change(sessions, "update fleet.dispatch set due_at = :then", then=clock.now - timedelta(seconds=90))
    assert due(sessions, clock) == ["email", "fanout", "inbox"], "nobody sends SMS yet"
    found = states(sessions, clock)
    busy = {queue: counts(state) for queue, state in found.items() if any(counts(state))}
    assert busy == dict.fromkeys(("email", "fanout", "inbox", "sms"), (1, 0, 0, 0, 0))
    assert found["email"].oldest_due_seconds == pytest.approx(90)


@pytest.mark.parametrize(
    ("state", "expected", "is_due"),
    [
        ("lease_until = :soon", (0, 1, 0, 0, 0), False),
        ("lease_until = :past", (1, 0, 0, 0, 0), True),
        ("due_at = :soon", (0, 0, 1, 0, 0), False),
        ("parked_at = :past", (0, 0, 0, 0, 1), False),
    ],
    ids=["leased", "lease ended", "waiting", "parked"],
)
def test_where_a_delivery_stands(
    sessions: sessionmaker[Session],
    clock: Clock,
    app: Application,
    client: Client,
    state: str,
    expected: tuple[int, ...],
    *,
    is_due: bool,
) -> None:
    email(app, client)
    soon, past = clock.now + timedelta(seconds=10), clock.now - timedelta(seconds=10)
    change(
        sessions,
        f"update fleet.dispatch set {state} where cast(:soon as timestamptz) > cast(:past as timestamptz)",
        soon=soon,
        past=past,
    )
    assert counts(states(sessions, clock)["email"]) == expected
    assert due(sessions, clock) == (["email"] if is_due else [])


def test_an_unknown_outcome_is_counted_apart_once_nobody_holds_it(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    waiting, held = email(app, client), email(app, client)
    for delivery_id in (waiting, held):
        attempt(sessions, delivery_id)
    soon = clock.now + timedelta(seconds=10)
    change(sessions, "update fleet.dispatch set due_at = :at where delivery_id = :id", at=soon, id=waiting)
    change(sessions, "update fleet.dispatch set lease_until = :at where delivery_id = :id", at=soon, id=held)
    assert counts(states(sessions, clock)["email"]) == (0, 1, 1, 1, 0)


@pytest.mark.parametrize(("seconds", "is_due"), [(10, False), (-10, True)])
def test_a_paused_channel_is_not_woken_until_its_pause_is_over(
    sessions: sessionmaker[Session],
    clock: Clock,
    app: Application,
    client: Client,
    seconds: int,
    *,
    is_due: bool,
) -> None:
    email(app, client)
    app.deliver(app.notify(client, "a", "b"), "IN_APP", str(client.user_id))
    change(
        sessions,
        "insert into fleet.channels (channel, kind, code, detail, paused_until)"
        " values ('EMAIL', 'MISCONFIGURED', 'http_401', '', :until)",
        until=clock.now + timedelta(seconds=seconds),
    )
    assert due(sessions, clock) == (["email", "in_app"] if is_due else ["in_app"])
    assert counts(states(sessions, clock)["email"]) == (1, 0, 0, 0, 0), "an operator sees the backlog"


@pytest.mark.parametrize(
    ("column", "expected"),
    [("due_at", (0, 0, 1, 0, 0)), ("parked_at", (0, 0, 0, 0, 1))],
    ids=["waiting", "parked"],
)
@pytest.mark.parametrize("queue", ["fanout", "inbox"])
def test_where_an_event_or_a_callback_stands(
    sessions: sessionmaker[Session],
    clock: Clock,
    app: Application,
    client: Client,
    queue: str,
    column: str,
    expected: tuple[int, ...],
) -> None:
    if queue == "fanout":
        app.event("ERROR", "order", client.order_id)
    else:
        store(sessions, "one")
    table = {"fanout": "fleet.outbox", "inbox": "fleet.inbox"}[queue]
    change(sessions, f"update {table} set {column} = :soon", soon=clock.now + timedelta(seconds=10))
    assert due(sessions, clock) == []
    assert counts(states(sessions, clock)[queue]) == expected


def test_a_callback_that_is_handled_is_in_no_queue(sessions: sessionmaker[Session], clock: Clock) -> None:
    store(sessions, "one")
    change(sessions, "update fleet.inbox set handled_at = now(), handled_as = 'NOTED'")
    assert due(sessions, clock) == []
    assert counts(states(sessions, clock)["inbox"]) == (0, 0, 0, 0, 0)
