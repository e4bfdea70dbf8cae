"""What the jobs of the timetable find, and that to see what they would do changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from services.dossiers.advancing import Advancing
from services.notifications.fanout import Routing
from services.notifications.lookups import LookupPolicy, Lookups
from services.notifications.retry import RetryPolicy
from tasks.maintenance import Sweeps
from tests.notifications.pipeline import execute, never

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session, sessionmaker

    from providers.base import MessageState
    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

EXPECTED = {
    "wake-queues": "woke email",
    "route-notifications": "1 notifications routed",
    "queue-forgotten": "2 forgotten rows queued",
    "put-down-questions": "1 questions put down",
    "forget-links": "1 links forgotten",
    "retire-callbacks": "1 callbacks retired",
}
TABLES = (
    *("fleet.outbox", "fleet.dispatch", "fleet.lookups", "fleet.links", "fleet.delivery_places"),
    *("fleet.inbox", "notification_deliveries", "notifications"),
)


class Unasked:
    """A provider that nobody is to ask."""

    def fetch(self, message_id: str) -> MessageState | None:
        raise AssertionError(message_id)

    def search(self, recipient: str, sent_on: date) -> Sequence[MessageState]:
        raise AssertionError((recipient, sent_on))


@dataclass
class Found:
    """Something for each job to find."""

    sweeps: Sweeps
    woken: list[str] = field(default_factory=list)


@pytest.fixture
def found(
    app: Application, client: Client, owner_url: str, sessions: sessionmaker[Session], clock: Clock
) -> Found:
    app.notify(client, "Rendez-vous", "Votre conseiller vous attend.")
    told = app.notify(client, "Bonjour", "Votre conseiller vous attend.")
    app.deliver(told, "EMAIL", client.email)
    forgotten = app.deliver(told, "PUSH", "a-device")
    tried = app.deliver(told, "SMS", "+33639980001")
    app.event("PAYMENT_FAILED", "order", client.order_id)
    execute(
        owner_url,
        "delete from fleet.outbox",
        f"delete from fleet.dispatch where delivery_id in ('{forgotten}', '{tried}')",
        "delete from events where event_type <> 'PAYMENT_FAILED'",
        "insert into fleet.attempts (delivery_id, number, channel, provider)"
        f" values ('{tried}', 1, 'SMS', 'twilio')",
        f"insert into fleet.dispatch (delivery_id, channel, lease_until)"
        f" values ('{tried}', 'SMS', now() + interval '1 hour')",
        "insert into fleet.links (token, kind, target, expires_at)"
        " values ('old', 'SHORT', 'https://app.example.com', now() - interval '30 days'),"
        " ('late', 'SHORT', 'https://app.example.com', now() - interval '29 days')",
        "insert into fleet.inbox (provider, callback_id, body, handled_at, handled_as)"
        " values ('twilio', 'old', '{}', now() - interval '91 days', 'FOREIGN'),"
        " ('twilio', 'late', '{}', now() - interval '89 days', 'FOREIGN')",
        "insert into fleet.inbox (provider, callback_id, body, parked_at)"
        " values ('twilio', 'parked', '{}', now() - interval '91 days')",
    )
    minute = timedelta(minutes=1)
    woken: list[str] = []
    sweeps = Sweeps(
        sessions,
        clock,
        woken.append,
        Routing(sessions, minute, clock, "FR"),
        Lookups(sessions, {"SMS": Unasked()}, "FR", LookupPolicy(minute, minute, minute), clock),
        Advancing(sessions, clock, frozenset(), RetryPolicy(), lambda: 0.5),
        timedelta(days=90),
    )
    return Found(sweeps, woken)


def rows(application: sessionmaker[Session]) -> dict[str, list[str]]:
    with application() as session:
        return {
            table: sorted(session.scalars(text(f"select {table.rpartition('.')[2]}::text from {table}")))
            for table in TABLES
        }


@pytest.mark.parametrize("name", EXPECTED)
def test_a_preview_says_what_a_run_then_does_and_changes_nothing(
    found: Found, application: sessionmaker[Session], name: str
) -> None:
    job, before = found.sweeps.jobs()[name], rows(application)
    assert job.preview() == EXPECTED[name]
    assert rows(application) == before
    assert found.woken == []
    assert job.run(never) == EXPECTED[name]
    assert rows(application) != before or found.woken == ["email"]


def test_a_second_run_finds_nothing_left(found: Found) -> None:
    for name, job in found.sweeps.jobs().items():
        job.run(never)
        if name != "wake-queues":
            assert job.run(never).startswith("0 ")


def test_a_job_that_is_to_stop_does_so(found: Found) -> None:
    jobs = found.sweeps.jobs()
    assert jobs["forget-links"].run(lambda: True) == "0 links forgotten"
    assert jobs["route-notifications"].run(lambda: True) == "0 notifications routed"
