"""The holes are open as the platform made it, and closed by hardening whatever a role is granted later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg.errors
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from db import catalog
from db.harden import harden, soften
from db.measures import measures
from tests.security.supabase import acting, become
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.security.supabase import Supabase
    from workers.dev.application import Client

GRANT_ALL = "grant all on all tables in schema public to anon, authenticated"


@dataclass
class Scene:
    """A client's rows on a database, in a transaction of the owner's that is never committed."""

    connection: Connection
    client: Client

    def as_client(self) -> None:
        become(self.connection, "authenticated", self.client.user_id)

    def run(self, statement: str, **values: object) -> Any:
        """The number of rows, and the statement's rows where it gives any."""
        result: Any = self.connection.execute(text(statement), {"me": self.client.user_id} | values)
        return result.all() if result.returns_rows else result.rowcount

    def refused(self, statement: str, match: str, **values: object) -> None:
        with (
            pytest.raises(ProgrammingError, match=match) as caught,
            self.connection.begin_nested(),
        ):
            self.run(statement, **values)
        assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege)


def scene(database: Supabase) -> Iterator[Scene]:
    with Application(database.owner_url) as app:
        client = app.pay(app.register(f"{uuid4()}@example.com", "Camille Exemple"))
        app.notify(client, "Bonjour", "Bienvenue.")
    with acting(database.admin_url) as connection:
        connection.exec_driver_sql(f'set local role "{database.owner}"')
        yield Scene(connection, client)
        connection.rollback()


@pytest.fixture
def closed(hardened: Supabase) -> Iterator[Scene]:
    yield from scene(hardened)


@pytest.fixture
def opened(as_made: Supabase) -> Iterator[Scene]:
    yield from scene(as_made)


def test_as_the_platform_made_it_the_holes_are_open(opened: Scene) -> None:
    opened.as_client()
    assert opened.run("update profiles set status = 'ACTIVE', stripe_customer_id = 'cus_other'") == 1
    assert opened.run("update notifications set title = 'Autre'") == 1
    assert opened.run("update products set price_amount = 1") == 3
    opened.run("truncate dossier_status_history")
    opened.connection.exec_driver_sql("reset role")
    assert opened.run("delete from events") > 0


def test_a_client_does_not_activate_itself(closed: Scene) -> None:
    closed.run(GRANT_ALL)
    closed.as_client()
    closed.refused("update profiles set status = 'SUSPENDED'", "does not change status of profiles")
    closed.refused(
        "update profiles set stripe_customer_id = 'cus_other'", "does not change stripe_customer_id"
    )
    closed.refused("update profiles set id = :other", "does not change id", other=uuid4())
    changed = "update profiles set full_name = 'Camille', phone = '+33639980000', updated_at = now()"
    assert closed.run(f"{changed}, status = status") == 1


def test_a_client_marks_a_notification_as_read_and_no_more(closed: Scene) -> None:
    closed.run(GRANT_ALL)
    closed.as_client()
    assert closed.run("update notifications set read_at = now()") == 1
    closed.refused(
        "update notifications set title = 'a', message = 'b'",
        "does not change message, title of notifications",
    )


def test_columns_that_the_platform_adds_are_a_clients_to_change(closed: Scene) -> None:
    closed.run("alter table profiles add column language text")
    closed.as_client()
    assert closed.run("update profiles set language = 'fr'") == 1


def test_the_owner_the_service_and_the_owners_functions_change_everything(closed: Scene) -> None:
    closed.run(
        "create function activate() returns void language sql security definer set search_path = public"
        " as $$ update profiles set status = 'SUSPENDED' where id = auth.uid() $$"
    )
    assert closed.run("update profiles set stripe_customer_id = 'cus_mine' where id = :me") == 1
    with closed.connection.begin_nested() as savepoint:
        become(closed.connection, "service_role")
        assert closed.run("update profiles set status = 'ACTIVE' where id = :me") == 1
        savepoint.rollback()
    closed.as_client()
    closed.run("select activate()")
    assert closed.run("select status::text from profiles") == [("SUSPENDED",)]


def test_what_is_sold_is_seen_and_not_touched(closed: Scene) -> None:
    closed.run("update products set active = false")
    closed.as_client()
    assert closed.run("select code from products") == [("LLC_FORMATION",)]  # the client's own
    assert closed.run("update products set price_amount = 1") == 0
    closed.refused("insert into steps (code, label, position) values ('X', 'X', 9)", "row-level security")
    closed.refused("truncate products cascade", "permission denied")
    become(closed.connection, "anon")
    assert closed.run("select code from products") == []
    assert len(closed.run("select code from steps")) == 5


def test_a_payment_link_is_for_who_holds_its_token(closed: Scene) -> None:
    ((token,),) = closed.run(
        "insert into payment_links (token, product_id, prospect_email, prospect_name)"
        " select generate_payment_link_token(), id, 'prospect@example.com', 'Prospect' from products limit 1"
        " returning token"
    )
    for role in ("anon", "authenticated"):
        become(closed.connection, role)
        assert closed.run("select token from payment_links") == []
        by_token = "select prospect_email, used_at from payment_link_by_token(:token)"
        assert closed.run(by_token, token=token) == [("prospect@example.com", None)]
        assert closed.run(by_token, token="0" * 32) == []


def test_events_are_never_changed_by_anybody(closed: Scene) -> None:
    for role in (None, "service_role", "authenticated"):
        if role:
            become(closed.connection, role, closed.client.user_id)
        closed.refused(
            "update events set payload = '{}'", "events are never changed: update|permission denied"
        )
        closed.refused("delete from events where false", "events are never changed: delete|permission denied")
        closed.refused("truncate events cascade", "events are never changed: truncate|permission denied")


def test_the_door_of_erasure_is_the_owners(closed: Scene) -> None:
    ((event_id,),) = closed.run("select id from events where entity_id = :it", it=closed.client.dossier_id)
    assert closed.run("select fleet.redact_event(:id)", id=event_id) == [(True,)]
    ((payload,),) = closed.run("select payload from events where id = :id", id=event_id)
    assert list(payload) == ["redacted_at"]
    closed.refused("update events set payload = '{}'", "events are never changed")
    with closed.connection.begin_nested() as savepoint:
        closed.run("set local fleet.erasure = 'on'")
        assert closed.run("delete from events where id = :id", id=event_id) == 1
        savepoint.rollback()
    closed.as_client()
    closed.run("set local fleet.erasure = 'on'")
    closed.refused("update events set payload = '{}'", "events are never changed")
    closed.refused("select fleet.redact_event(:id)", "permission denied", id=event_id)


def test_a_client_and_all_its_rows_can_be_deleted_without_the_door(closed: Scene) -> None:
    closed.run(
        "update notifications set event_id = (select id from events where entity_id = :it)"
        " where user_id = :me",
        it=closed.client.dossier_id,
    )
    assert closed.run("delete from notifications where user_id = :me") == 1
    assert closed.run("delete from dossiers where user_id = :me") == 1
    assert closed.run("delete from auth.users where id = :me") == 1
    assert closed.run("select count(*) from events where entity_id = :it", it=closed.client.dossier_id) == [
        (1,)
    ]


UPLOAD = (
    "insert into document_versions (document_id, file_url, uploaded_by_type, uploaded_by_id)"
    " values (:document, 'https://files.example.com/1', 'USER', :me)"
)


def document(scene: Scene) -> UUID:
    ((found,),) = scene.run(
        "insert into documents (dossier_id, document_type_id)"
        " select :dossier, id from document_types limit 1 returning id",
        dossier=scene.client.dossier_id,
    )
    return UUID(str(found))


def test_a_client_uploads_under_row_level_security(closed: Scene, opened: Scene) -> None:
    for each in (closed, opened):
        each.as_client()
    opened.refused(UPLOAD, 'row-level security policy for table "events"', document=document(opened))

    assert closed.run(UPLOAD, document=document(closed)) == 1
    closed.connection.exec_driver_sql("reset role")
    uploaded = (
        "select count(*) from events"
        " where event_type = 'DOCUMENT_UPLOADED' and payload ->> 'dossier_id' = :it"
    )
    assert closed.run(uploaded, it=str(closed.client.dossier_id)) == [(1,)]


def test_hardening_again_finds_nothing_to_do(opened: Scene) -> None:
    planned = harden(opened.connection, dry_run=True)
    assert planned == [measure.what for measure in measures()]
    assert opened.run("select to_regclass('fleet.hardened') is null") == [(True,)]
    assert harden(opened.connection) == planned
    assert harden(opened.connection) == []


def test_a_measure_that_was_undone_by_hand_is_taken_again(closed: Scene) -> None:
    closed.run("alter table profiles disable trigger fleet_guard_columns")
    closed.run("create or replace function fleet.refuse_event_change() returns trigger language plpgsql"
               " as 'begin return null; end'")  # fmt: skip
    assert [what.split(":")[0] for what in harden(closed.connection)] == [
        "function fleet.refuse_event_change()",
        "trigger fleet_guard_columns on profiles",
    ]
    closed.refused("delete from events", "never changed")


def test_softening_leaves_what_was_there_before(opened: Scene) -> None:
    opened.run("alter table agents enable row level security")  # the platform's own doing
    before = [catalog.read(opened.connection, schema) for schema in ("public", "fleet")]
    harden(opened.connection)
    soften(opened.connection)
    assert [catalog.read(opened.connection, schema) for schema in ("public", "fleet")] == before
    assert soften(opened.connection) == []


def test_nobody_waits_long_behind_hardening(as_made: Supabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.harden._LOCK_TIMEOUT", "100ms")
    with acting(as_made.owner_url) as busy:
        busy.execute(text("select count(*) from products"))
        with (
            pytest.raises(OperationalError) as caught,
            acting(as_made.owner_url) as connection,
        ):
            harden(connection)
    assert isinstance(caught.value.orig, psycopg.errors.LockNotAvailable)
    with acting(as_made.owner_url) as connection:
        assert len(harden(connection, dry_run=True)) == len(measures())


def test_without_the_fleet_there_is_nothing_to_harden(empty_database: str) -> None:
    with acting(empty_database) as connection, pytest.raises(ValueError, match="fleet db upgrade first"):
        harden(connection)


def test_a_claim_is_read_as_the_client(closed: Scene) -> None:
    # What the other tests stand on.
    closed.as_client()
    ((claims, user_id),) = closed.run("select current_setting('request.jwt.claims'), auth.uid()")
    assert (json.loads(claims)["role"], user_id) == ("authenticated", closed.client.user_id)
