from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db import catalog, locks, migrate
from db.catalogs import load
from db.engine import dsn, make_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

EXPECTED = load("v2")

SUPABASE_AUTH = """
create schema auth;
create table auth.users (id uuid primary key, email varchar(255), phone text, is_sso_user boolean not null);
create function auth.uid() returns uuid language sql stable as $$ select null::uuid $$;
"""


def read(url: str, schema: str) -> catalog.Catalog:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return catalog.read(connection, schema)
    finally:
        engine.dispose()


def execute(url: str, script: str) -> None:
    with psycopg.connect(dsn(url), autocommit=True) as connection:
        connection.execute(script.encode())


def nothing_in(found: catalog.Catalog) -> bool:
    return not any(found.values())


def test_the_schema_is_the_platforms_object_by_object(platform: Engine) -> None:
    with platform.connect() as connection:
        found = catalog.read(connection)

    assert catalog.differences(EXPECTED, found) == []
    assert found == EXPECTED


def test_the_expected_catalogue_is_the_whole_one() -> None:
    constraints = EXPECTED["constraints"].values()
    assert {kind: len(EXPECTED[kind]) for kind in EXPECTED} == {
        "enums": 10,
        "tables": 21,
        "constraints": 21,
        "indexes": 66,
        "triggers": 11,
        "functions": 6,
        "rls_tables": 13,
        "policies": 20,
    }
    assert sum(map(len, constraints)) == 89


def test_reading_the_catalogue_keeps_the_search_path(platform: Engine) -> None:
    with platform.connect() as connection:
        connection.execute(text("set local search_path to pg_catalog, public"))
        catalog.read(connection)

        assert connection.scalar(text("show search_path")) == "pg_catalog, public"


def small() -> dict[str, Any]:
    return {
        "enums": {"mood": ["GOOD", "BAD"]},
        "tables": {"notes": [{"name": "body", "type": "text", "not_null": True, "default": None}]},
        "constraints": {"notes": [{"name": "body_not_empty", "def": "CHECK ((body <> ''::text))"}]},
        "indexes": {"idx_notes": "CREATE INDEX idx_notes ON public.notes USING btree (body)"},
        "triggers": [{"table": "notes", "name": "stamp", "def": "CREATE TRIGGER stamp ..."}],
        "functions": ["answer(question text) -> boolean"],
        "rls_tables": ["notes"],
        "policies": [
            {"table": "notes", "policy": "All", "cmd": "ALL", "using": "a\n  = b", "with_check": None}
        ],
    }


def test_what_is_missing_is_named() -> None:
    found = {kind: type(objects)() for kind, objects in small().items()}

    assert catalog.differences(small(), found) == [
        "missing: column notes.body: text not null default None",
        "missing: constraint notes.body_not_empty: CHECK ((body <> ''::text))",
        "missing: enum mood: GOOD, BAD",
        "missing: function answer(question text): returns boolean",
        "missing: index idx_notes: CREATE INDEX idx_notes ON public.notes USING btree (body)",
        'missing: policy notes."All": for ALL using a = b with check None',
        "missing: row-level security of notes: enabled",
        "missing: table notes: present",
        "missing: trigger notes.stamp: CREATE TRIGGER stamp ...",
    ]


def test_what_is_extra_or_different_is_named() -> None:
    found = small()
    found["enums"]["mood"].append("UNSURE")
    found["tables"]["notes"][0]["not_null"] = False
    found["tables"]["notes"].append({"name": "n", "type": "bigint", "not_null": False, "default": "0"})
    found["functions"] = ["answer(question text) -> text"]
    found["policies"][0]["using"] = "true"

    assert catalog.differences(small(), found) == [
        "different: column notes.body: expected text not null default None; found text null default None",
        "extra: column notes.n: bigint null default 0",
        "different: enum mood: expected GOOD, BAD; found GOOD, BAD, UNSURE",
        "different: function answer(question text): expected returns boolean; found returns text",
        (
            'different: policy notes."All": expected for ALL using a = b with check None; '
            "found for ALL using true with check None"
        ),
    ]


def test_upgrading_again_changes_nothing(empty_database: str) -> None:
    assert migrate.current(empty_database) is None
    migrate.upgrade(empty_database)
    revision = migrate.current(empty_database)
    assert revision is not None
    before = read(empty_database, "public")

    migrate.upgrade(empty_database)

    assert migrate.current(empty_database) == revision
    assert read(empty_database, "public") == before


def test_who_upgrades_at_the_same_time_waits_and_finds_nothing_to_do(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool, psycopg.connect(dsn(empty_database), autocommit=True) as bystander:
        with bystander.transaction():
            bystander.execute("select pg_advisory_xact_lock(%s)", [locks.LOCK])
            upgrades = [pool.submit(migrate.upgrade, empty_database) for _ in range(2)]
            deadline = monotonic() + 20
            while waiting(bystander) < 2:
                assert monotonic() < deadline, "the upgrades do not wait for the lock"
                sleep(0.01)
        for upgrade in upgrades:
            upgrade.result(timeout=60)

    assert migrate.current(empty_database) is not None


def waiting(connection: psycopg.Connection[Any]) -> int:
    # All databases of the server share pg_locks; parallel tests are told apart by theirs.
    row = connection.execute(
        """
        select count(*) from pg_locks
        where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_failed_upgrade_leaves_nothing_behind(empty_database: str) -> None:
    execute(
        empty_database,
        """
        create schema guard;
        create function guard.refuse() returns event_trigger language plpgsql as $$
        begin
          raise insufficient_privilege using message = 'no trigger here';
        end
        $$;
        create event trigger refuse on ddl_command_end when tag in ('CREATE TRIGGER')
          execute function guard.refuse();
        """,
    )

    with pytest.raises(ProgrammingError, match="no trigger here"):
        migrate.upgrade(empty_database)

    assert migrate.current(empty_database) is None
    assert nothing_in(read(empty_database, "auth"))
    assert read(empty_database, "public")["tables"] == {}


def test_downgrading_drops_all_that_was_made(empty_database: str) -> None:
    migrate.upgrade(empty_database)

    migrate.downgrade(empty_database, "base")

    assert migrate.current(empty_database) is None
    assert nothing_in(read(empty_database, "public"))
    assert nothing_in(read(empty_database, "auth"))


def test_an_auth_schema_that_was_there_is_left_alone(empty_database: str) -> None:
    execute(empty_database, SUPABASE_AUTH)
    before = read(empty_database, "auth")

    migrate.upgrade(empty_database)
    assert read(empty_database, "auth") == before

    migrate.downgrade(empty_database, "base")
    assert read(empty_database, "auth") == before


def test_of_auth_only_what_is_missing_is_made(empty_database: str) -> None:
    execute(empty_database, "create schema auth; create table auth.users (id uuid primary key, email text)")
    before = read(empty_database, "auth")

    migrate.upgrade(empty_database)
    found = read(empty_database, "auth")
    assert found["functions"] == ["uid() -> uuid"]
    assert found["tables"] == before["tables"]

    migrate.downgrade(empty_database, "base")
    assert read(empty_database, "auth") == before
