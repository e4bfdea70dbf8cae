"""Each of the platform's databases is told apart, and nothing is changed by looking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from db import migrate, revisions
from db.engine import make_engine
from db.recognise import Kind, Recognition, recognise
from tests.databases import Database, Server, new_database
from tests.db.platforms import ADDITIONS, make_v1, make_v2, public, recognised
from tests.notifications.pipeline import execute
from workers.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUPABASE = (
    "create schema auth",
    "create table auth.users (id uuid primary key, email text, phone text)",
    "create function auth.uid() returns uuid language sql stable as 'select null::uuid'",
    "create schema storage",
    "create table storage.objects (id uuid primary key)",
)


@pytest.fixture(scope="module")
def version_1(_server: Server) -> Iterator[str]:
    """Shared: changed only in transactions that are rolled back."""
    with new_database(_server) as database:
        make_v1(database.owner_url)
        yield database.owner_url


@pytest.fixture(scope="module")
def _version_2(_server: Server) -> Iterator[Database]:
    with new_database(_server) as database:
        make_v2(database.owner_url)
        yield database


@pytest.fixture(scope="module")
def version_2(_version_2: Database) -> str:
    """Without the fleet, and shared as ``version_1`` is."""
    return _version_2.owner_url


@pytest.fixture
def own_version_2(_server: Server, _version_2: Database) -> Iterator[str]:
    """As ``version_2``, of this test's own."""
    with new_database(_server, _version_2) as database:
        yield database.owner_url


def with_changes(url: str, *changes: str) -> Recognition:
    """What a database would be after changes, which are rolled back."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            for change in changes:
                connection.exec_driver_sql(change)
            return recognise(connection)
    finally:
        engine.dispose()


def test_an_empty_database_of_supabase_is_empty(empty_database: str) -> None:
    execute(empty_database, *SUPABASE)
    assert recognised(empty_database).kind is Kind.EMPTY


def test_version_1(version_1: str) -> None:
    found = recognised(version_1)
    assert (found.kind, found.additions, found.obstacles) == (Kind.V1, [], [])


def test_version_1_with_something_more(version_1: str) -> None:
    found = with_changes(
        version_1,
        "alter table agents add column office text",
        "alter type dossier_type add value 'DUBAI'",
        "create table offices (id uuid primary key)",
    )
    assert found.kind is Kind.V1
    assert found.additions == [
        "value DUBAI of enum dossier_type",
        "column agents.office text null",
        "table offices",
    ]


def test_version_1_whose_upgrade_has_begun(version_1: str) -> None:
    found = with_changes(
        version_1,
        "create schema fleet",
        "create table fleet.v1_steps (name text)",
        "create table products (id uuid)",
    )
    assert (found.kind, found.interrupted) == (Kind.V1, True)


def test_version_1_that_somebody_has_begun_to_move_by_hand_is_refused(version_1: str) -> None:
    found = with_changes(
        version_1,
        "create type user_status as enum ('PENDING')",
        "alter table profiles add column status user_status",
        "create table products (id uuid)",
        "create view orders as select 1 as id",
    )
    assert found.kind is Kind.UNKNOWN
    assert found.obstacles == [
        "in the way: table products, already as in v2",
        "in the way: column profiles.status, already as in v2",
        "in the way: enum user_status, already as in v2",
        "in the way: orders, a name that v2 needs for a table",
    ]


def test_version_2_without_the_fleet(version_2: str) -> None:
    found = recognised(version_2)
    assert (found.kind, found.revision, found.additions) == (Kind.V2_UNMANAGED, None, [])


@pytest.mark.parametrize("revision", revisions.known())
def test_version_2_with_the_fleet(empty_database: str, revision: str) -> None:
    migrate.upgrade(empty_database, revision)
    found = recognised(empty_database)
    assert (found.kind, found.revision, found.additions) == (Kind.V2_MANAGED, revision, [])


@pytest.mark.parametrize("source", ["version_2", "owner_url"])
def test_version_2_with_additions(request: pytest.FixtureRequest, source: str) -> None:
    found = with_changes(request.getfixturevalue(source), *ADDITIONS)
    assert found.kind is Kind.V2_WITH_ADDITIONS
    assert found.revision == (revisions.known()[-1] if source == "owner_url" else None)
    assert found.additions == [
        "value DOSSIER_ARCHIVED of enum event_type",
        "value TELEGRAM of enum notification_channel",
        "column dossiers.user_id is uuid null, expected uuid not null",
        "column events.source text not null default 'APP'::text",
        "column notification_deliveries.cost numeric not null default 0",
        "column notifications.priority text not null default 'NORMAL'::text",
        "column notifications.position bigint not null default generated always as identity",
        "table offices",
        "function add_email() -> trigger",
        "trigger notifications.add_email",
        "index idx_events_payload",
        'policy dossiers."Agents see all"',
    ]


def test_what_the_platform_may_change_of_its_own_is_no_obstacle(version_2: str) -> None:
    found = with_changes(
        version_2,
        "drop index idx_events_created_at",
        'drop policy "Users can view own orders" on orders',
        "alter table agents disable row level security",
        "alter table messages disable row level security",
        "alter table agents drop constraint agents_email_key",
        "alter table agents add constraint one_address unique (email)",
        "alter table products alter column price_amount set default 0",
    )
    assert found.kind is Kind.V2_WITH_ADDITIONS
    assert found.additions == [
        "column products.price_amount is integer not null default 0, expected integer not null",
        "without: index idx_events_created_at",
        'without: policy orders."Users can view own orders"',
        "without: row-level security of messages",
    ]


@pytest.mark.parametrize(
    ("changes", "obstacles"),
    [
        (["drop table payment_reminders"], ["missing: table payment_reminders"]),
        (["alter table orders drop column paid_at"], ["missing: column orders.paid_at"]),
        (
            ["alter table orders alter column amount type bigint"],
            ["different: column orders.amount is bigint not null, expected integer not null"],
        ),
        (
            ["alter table messages alter column content drop not null"],
            ["different: column messages.content is text null, expected text not null"],
        ),
        (
            ["alter table notifications add column tenant uuid not null"],
            ["in the way: column notifications.tenant uuid not null, which the fleet's inserts do not fill"],
        ),
        (
            ["alter type review_status rename value 'REJECTED' to 'REFUSED'"],
            ["missing: value REJECTED of enum review_status"],
        ),
        (
            ["drop trigger dossier_status_changed on dossiers"],
            ["missing: trigger dossiers.dossier_status_changed"],
        ),
        (
            ["drop function generate_payment_link_token()"],
            ["missing: function generate_payment_link_token() -> text"],
        ),
        (
            ["alter table payment_links drop constraint payment_links_token_key"],
            ["missing: UNIQUE (token) of payment_links"],
        ),
        (["alter table auth.users drop column email"], ["missing: column auth.users.email"]),
        (
            ["create schema fleet", "create table fleet.trucks (id integer)"],
            ["in the way: table trucks in schema fleet"],
        ),
    ],
    ids=lambda value: value[0].split(":")[-1].strip() if isinstance(value, list) else value,
)
def test_what_the_fleet_relies_on_is_named_where_it_is_missing(
    version_2: str, changes: Sequence[str], obstacles: Sequence[str]
) -> None:
    found = with_changes(version_2, *changes)
    assert (found.kind, found.obstacles) == (Kind.UNKNOWN, obstacles)
    with pytest.raises(migrate.NotRecognisedError):
        migrate.steps(found)


def test_a_database_of_somebody_elses_is_refused(empty_database: str) -> None:
    execute(
        empty_database,
        "create table recipes (id serial)",
        "create function cook() returns int language sql as 'select 1'",
    )
    found = recognised(empty_database)
    assert found.kind is Kind.UNKNOWN
    assert found.obstacles == [
        "in the way: function cook()",
        "in the way: sequence recipes_id_seq",
        "in the way: table recipes",
    ]


def test_what_lets_the_fleets_role_in_is_no_addition(owner_url: str, database_url: str) -> None:
    for url in (owner_url, database_url):
        assert recognised(url).kind is Kind.V2_MANAGED
        assert recognised(url).additions == []


def test_a_revision_of_a_newer_fleet_is_refused(owner_url: str) -> None:
    execute(owner_url, "update fleet.schema_version set version_num = '0999_later'")
    found = recognised(owner_url)
    assert found.kind is Kind.UNKNOWN
    assert "0999_later" in found.obstacles[0]


SOURCES = {
    Kind.EMPTY: "empty_database",
    Kind.V1: "version_1",
    Kind.V2_UNMANAGED: "version_2",
    Kind.V2_MANAGED: "owner_url",
    Kind.V2_WITH_ADDITIONS: "own_version_2",
    Kind.UNKNOWN: "own_version_2",
}
CHANGES = {Kind.V2_WITH_ADDITIONS: ADDITIONS, Kind.UNKNOWN: ("drop table payment_reminders",)}


@pytest.mark.parametrize("kind", list(Kind))
def test_status_tells_the_kind_and_changes_nothing(
    request: pytest.FixtureRequest, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue(SOURCES[kind])
    execute(url, *CHANGES.get(kind, ()))
    before = public(url)
    monkeypatch.setenv("DATABASE_URL", url)

    refused = kind is Kind.UNKNOWN
    for command in (["status"], ["upgrade", "--dry-run"], ["upgrade", "--sql"]):
        told = CliRunner().invoke(app, ["db", *command])
        assert told.exit_code == refused, told.output
    if refused:
        with pytest.raises(migrate.NotRecognisedError):
            migrate.upgrade(url)

    told = CliRunner().invoke(app, ["db", "status", "--json"])
    assert told.exit_code == refused
    assert json.loads(told.stdout)["kind"] == kind
    assert public(url) == before
