"""Drift and holes are named where they are, additions are not drift, and a flawless database is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db import migrate
from db.check import Finding, check, clients, expected_fleet, read_fleet
from db.harden import harden, soften
from tests.security.supabase import acting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.security.supabase import Supabase


@pytest.fixture
def closed(hardened: Supabase) -> Iterator[Connection]:
    """As the owner, in a transaction that is never committed."""
    with acting(hardened.owner_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def opened(as_made: Supabase) -> Iterator[Connection]:
    with acting(as_made.owner_url) as connection:
        yield connection
        connection.rollback()


def amiss(connection: Connection) -> list[tuple[str, str]]:
    return [(f.kind, f.object) for f in check(connection) if f.kind != "information"]


def told(connection: Connection, name: str) -> Finding:
    (finding,) = (finding for finding in check(connection) if finding.object == name)
    return finding


def test_the_kept_catalogue_of_the_fleets_part_is_current(empty_database: str) -> None:
    migrate.upgrade(empty_database)
    with acting(empty_database) as connection:
        found = read_fleet(connection)
    assert found == expected_fleet(), "write read_fleet() anew to db/catalogs/fleet.json"


def test_a_hardened_database_is_as_it_should_be(closed: Connection) -> None:
    assert [(f.kind, f.object) for f in check(closed)] == [("information", "event DOSSIER_CREATED")]


def test_the_holes_of_version_2_are_named(opened: Connection) -> None:
    assert clients(opened) == ["anon", "authenticated"]
    assert {(f.object, f.what.partition("(")[2]) for f in check(opened) if f.kind == "hole"} >= {
        ("table profiles", "hole 13)"),
        ("table notifications", "hole 13)"),
        *((f"table {table}", "hole 14)") for table in ("products", "payment_links", "agents", "steps")),
        *((f"table {table}", "hole 14)") for table in ("product_steps", "step_fields", "document_types")),
        ("table dossier_status_history", "hole 14)"),
        ("table events", "hole 15)"),
        ("function create_document_upload_event", ""),
        ("function create_dossier_status_event", ""),
        ("table orders", ""),  # truncate
    }
    told_of = ("a client inserts", "a client changes created_by")
    assert {(f.object, f.what) for f in check(opened) if f.what.startswith(told_of)} == {
        ("table documents", "a client inserts a row with any current_version_id, status, step_instance_id"),
        ("table document_versions", "a client inserts a row with any uploaded_by_id, uploaded_by_type"),
        ("table step_field_values", "a client changes created_by_id, created_by_type of its own row"),
    }
    assert not any(f.kind == "drift" for f in check(opened))


def test_without_any_client_role_the_holes_are_named_all_the_same(empty_database: str) -> None:
    migrate.upgrade(empty_database)
    with acting(empty_database) as connection:
        soften(connection)
        assert clients(connection) == []
        holes = {name for kind, name in amiss(connection) if kind == "hole"}
        assert {"table profiles", "table agents", "table events"} <= holes
        harden(connection)
        assert amiss(connection) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("alter table profiles disable trigger fleet_guard_columns", ("hole", "table profiles")),
        ("alter table events disable trigger fleet_refuse_event_change", ("hole", "table events")),
        ("drop trigger fleet_guard_columns on notifications", ("hole", "table notifications")),
        ("drop trigger fleet_guard_author on step_field_values", ("hole", "table step_field_values")),
        ("alter table agents disable row level security", ("hole", "table agents")),
        (
            'drop policy "Users upload documents still to be reviewed" on documents',
            ("hole", "table documents"),
        ),
        (
            'drop policy "Users upload in their own name" on document_versions',
            ("hole", "table document_versions"),
        ),
        ("create policy x on messages for insert with check (true)", ("hole", "table messages")),
        (
            "create policy x on step_field_values with check (created_by_type <> 'AGENT')",
            ("hole", "table step_field_values"),
        ),
        ('create policy "All" on payment_links using (true)', ("hole", 'policy payment_links."All"')),
        ("create policy x on products for update using (true)", ("hole", 'policy products."x"')),
        ("create policy x on agents for select using (true)", ("hole", 'policy agents."x"')),
        ("grant truncate on orders to anon", ("hole", "table orders")),
        (
            "alter function create_document_upload_event() reset search_path",
            ("hole", "function create_document_upload_event"),
        ),
        ("drop index idx_events_entity", ("drift", "index idx_events_entity")),
        ("alter table orders drop column metadata", ("drift", "column orders.metadata")),
        ("alter table orders disable row level security", ("drift", "row-level security of orders")),
        ("alter table fleet.inbox drop column last_error", ("drift", "column fleet.inbox.last_error")),
        ("drop trigger fleet_enqueue_event on events", ("drift", "trigger events.fleet_enqueue_event")),
        (
            "alter table notifications add column tenant uuid not null",
            ("drift", "column notifications.tenant"),
        ),
    ],
)
def test_each_flaw_is_named(closed: Connection, change: str, finding: tuple[str, str]) -> None:
    closed.execute(text(change))
    assert amiss(closed) == [finding]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("alter table dossiers alter column user_id drop not null", "column dossiers.user_id"),
        ("alter table profiles add column language text not null default 'fr'", "column profiles.language"),
        ("alter table notifications add column seen boolean", "column notifications.seen"),
        ("create table invoices (id uuid primary key)", "table invoices"),
        ("create policy agents on dossiers using (auth.uid() is null)", 'policy dossiers."agents"'),
        ("create index newer on events (created_at)", "index newer"),
    ],
)
def test_what_the_platform_has_added_is_no_drift(closed: Connection, change: str, name: str) -> None:
    closed.execute(text(change))
    assert told(closed, name).kind == "information"
    assert amiss(closed) == []


def test_a_longer_enum_is_no_drift(hardened: Supabase) -> None:
    # A value that a transaction adds is not readable before its end.
    with acting(hardened.owner_url) as connection:
        connection.execute(text("alter type event_type add value 'INVOICE_SENT'"))
    with acting(hardened.owner_url) as connection:
        assert told(connection, "enum event_type").kind == "information"
        assert amiss(connection) == []


def test_of_what_is_missing_altogether_the_parts_are_not_told(
    closed: Connection, empty_database: str
) -> None:
    closed.execute(text("drop table payment_reminders"))
    assert amiss(closed) == [("drift", "table payment_reminders")]
    with acting(empty_database) as connection:
        found = amiss(connection)
    assert ("drift", "schema fleet") in found
    assert sum(name.startswith("table ") for _, name in found) == 21
    assert len(found) == 21 + 10 + 6 + 1  # enums and functions beside


def test_columns_that_are_not_granted_are_no_hole(opened: Connection) -> None:
    opened.execute(text("revoke update on profiles from anon, authenticated"))
    opened.execute(text("grant update (full_name, phone) on profiles to authenticated"))
    assert [f.object for f in check(opened) if "hole 13" in f.what] == ["table notifications"]


def test_what_the_platform_looks_at_itself_is_no_hole(opened: Connection) -> None:
    opened.execute(
        text(
            'alter policy "Users can create document versions" on document_versions'
            " with check (uploaded_by_type = 'USER' and uploaded_by_id = auth.uid());"
            " revoke insert on documents from anon, authenticated;"
            " grant insert (dossier_id, document_type_id) on documents to authenticated"
        )
    )
    assert [f.object for f in check(opened) if f.what.startswith("a client inserts")] == []


def test_a_trigger_that_writes_the_creation_of_a_dossier_is_seen(closed: Connection) -> None:
    closed.execute(
        text(
            "create function open_event() returns trigger language plpgsql as"
            " $$ begin insert into events (entity_type, entity_id, event_type)"
            " values ('dossier', new.id, 'DOSSIER_CREATED'); return new; end $$;"
            " create trigger opened after insert on dossiers for each row execute function open_event()"
        )
    )
    assert "event DOSSIER_CREATED" not in [finding.object for finding in check(closed)]
