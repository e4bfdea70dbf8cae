"""The fleet's triggers on the application's tables: they queue what is inserted and never fail an insert."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.orm import Session, sessionmaker

from db import migrate
from db.engine import dsn, make_engine
from db.queries import forgotten
from tests.notifications.pipeline import email, execute, never

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


@contextmanager
def unusable(owner_url: str, table: str) -> Iterator[None]:
    """A table of the fleet's that is not there for a while."""
    execute(owner_url, f"alter table fleet.{table} rename to away")
    try:
        yield
    finally:
        execute(owner_url, f"alter table fleet.away rename to {table}")


def queued_anew(sessions: sessionmaker[Session], clock: Clock) -> int:
    with sessions.begin() as session:
        return forgotten.enqueue(session, clock.now - timedelta(days=1), clock.now + timedelta(minutes=5))


def warnings(app: Application) -> list[str]:
    heard: list[str] = []
    app._connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    return heard


@pytest.fixture
def role(owner_url: str) -> Iterator[str]:
    """As the platform's service role: passes by row-level security, and knows nothing of the fleet."""
    name = f"service_{uuid4().hex[:12]}"
    execute(
        owner_url,
        f"create role {name} bypassrls",
        f"grant usage on schema public to {name}",
        f"grant select, insert on all tables in schema public to {name}",
    )
    yield name
    execute(owner_url, f"drop owned by {name}", f"drop role {name}")


def test_a_role_without_rights_on_the_fleet_inserts_as_ever(
    owner_url: str, app: Application, client: Client, pipeline: Pipeline, role: str
) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    with psycopg.connect(dsn(owner_url), autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        connection.execute(
            "insert into events (entity_type, entity_id, event_type) values ('dossier', %s, 'ERROR')",
            [uuid4()],
        )
        connection.execute(
            "insert into notification_deliveries (notification_id, channel, recipient)"
            " values (%s, 'EMAIL', %s)",
            [notification_id, client.email],
        )
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("select from fleet.outbox")
    assert pipeline.scalar("select count(*) from fleet.outbox") == 1
    assert pipeline.scalar("select count(*) from fleet.dispatch") == 1


def test_an_insert_wakes_whoever_listens(database_url: str, app: Application, client: Client) -> None:
    with psycopg.connect(dsn(database_url), autocommit=True) as connection:
        connection.execute("listen fleet")
        app.event("ERROR", "dossier", uuid4())
        email(app, client)
        heard = [notify.payload for notify in connection.notifies(timeout=10, stop_after=2)]
    assert heard == ["fanout", "email"]


def test_only_what_is_pending_is_queued(app: Application, client: Client, pipeline: Pipeline) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    pipeline.change(
        "insert into notification_deliveries (notification_id, channel, recipient, status)"
        " values (:id, 'EMAIL', 'a@example.com', 'SENT')",
        id=notification_id,
    )
    assert pipeline.rows("select from fleet.dispatch") == []
    assert pipeline.rows("select channel from fleet.delivery_places") == [("EMAIL",)]


def test_an_event_is_inserted_though_the_outbox_is_unusable_and_found_afterwards(
    owner_url: str, app: Application, paid: Client, pipeline: Pipeline, clock: Clock
) -> None:
    assert paid.dossier_id
    heard = warnings(app)
    with unusable(owner_url, "outbox"):
        event_id = app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    assert [message for message in heard if f"event {event_id} was not enqueued" in message]
    pipeline.change("delete from events where id <> :id", id=event_id)
    assert pipeline.fan_out().run(never) == 0

    assert queued_anew(pipeline.sessions, clock) == 1
    assert queued_anew(pipeline.sessions, clock) == 0
    assert pipeline.fan_out().run(never) == 1
    assert pipeline.scalar("select template_code from notifications") == "WELCOME"
    assert queued_anew(pipeline.sessions, clock) == 0


def test_a_delivery_is_inserted_though_the_queue_is_unusable_and_found_afterwards(
    owner_url: str,
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,
    sandbox: SandboxClient,
) -> None:
    heard = warnings(app)
    with unusable(owner_url, "dispatch"):
        delivery_id = email(app, client)
    assert [message for message in heard if f"delivery {delivery_id} was not enqueued" in message]
    assert queued_anew(pipeline.sessions, clock) == 1
    pipeline.send()
    assert pipeline.delivery(delivery_id).status == "SENT"
    assert len(sandbox.messages()) == 1


def test_a_delivery_inserted_twice_while_the_queue_is_unusable_is_sent_once(
    owner_url: str,
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,
    sandbox: SandboxClient,
) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    with unusable(owner_url, "dispatch"):
        for _ in range(2):
            app.deliver(notification_id, "EMAIL", client.email)
    assert queued_anew(pipeline.sessions, clock) == 2
    pipeline.send()
    assert len(sandbox.messages()) == 1
    assert pipeline.statuses() == {"SENT": 1, "FAILED": 1}


def test_what_is_too_young_is_left_to_its_trigger(
    owner_url: str, app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    with unusable(owner_url, "dispatch"):
        email(app, client)
    with pipeline.sessions.begin() as session:
        before = clock.now - timedelta(seconds=30)
        assert forgotten.enqueue(session, clock.now - timedelta(days=1), before) == 0


def test_what_is_older_than_the_fleet_is_left_alone(empty_database: str, clock: Clock) -> None:
    migrate.upgrade(empty_database, "0001_platform_v2")
    user_id: UUID = uuid4()
    with psycopg.connect(dsn(empty_database), autocommit=True) as connection:
        connection.execute("insert into auth.users (id, email) values (%s, 'old@example.com')", [user_id])
        connection.execute("insert into profiles (id) values (%s)", [user_id])
        connection.execute(
            "insert into events (entity_type, entity_id, event_type) values ('dossier', %s, 'ERROR')",
            [uuid4()],
        )
        connection.execute(
            "with n as (insert into notifications (user_id, title, message) values (%s, 'a', 'b')"
            " returning id)"
            " insert into notification_deliveries (notification_id, channel, recipient)"
            " select id, 'EMAIL', 'old@example.com' from n",
            [user_id],
        )
    migrate.upgrade(empty_database)
    engine = make_engine(empty_database, pool_size=1)
    assert queued_anew(sessionmaker(engine), clock) == 0
    engine.dispose()
