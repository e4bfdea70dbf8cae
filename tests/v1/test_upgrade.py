from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from db import catalog, catalogs, v1
from db.engine import dsn, make_engine
from db.v1.report import TABLES
from tests.v1.rows import populate, v1_database

if TYPE_CHECKING:
    from collections.abc import Iterator

# After every time in the rows that are made up.
LATER = "2026-03-03"
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def v1_url(postgres_url: str) -> Iterator[str]:
    with v1_database(postgres_url) as url:
        yield url


def quiet(_step: str, _done: int, _total: int) -> None:
    pass


def read_catalog(url: str) -> catalog.Catalog:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return catalog.read(connection)
    finally:
        engine.dispose()


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(dsn(url), autocommit=True)


def all_ids(url: str) -> dict[str, set[str]]:
    with connect(url) as connection:
        return {
            table: {str(row[0]) for row in connection.execute(f"select id from {table}".encode())}
            for table in TABLES
        }


def aside_ids(url: str, table: str) -> list[str]:
    with connect(url) as connection:
        rows = connection.execute(
            "select \"row\" ->> 'id' from fleet.set_aside where table_name = %s", [table]
        )
        return [row[0] for row in rows]


def made_ids(url: str) -> set[str]:
    with connect(url) as connection:
        rows = connection.execute("""
            select id from step_instances where metadata ? 'made_by_upgrade'
            union all select id from agents where email = 'system@upgrade.invalid'
            union all select id from document_types where description is not null
        """)
        return {str(row[0]) for row in rows}


def test_the_v1_of_the_tests_is_the_platforms(v1_url: str) -> None:
    assert catalog.differences(catalogs.load("v1"), read_catalog(v1_url)) == []


# A seed does not shrink to anything simpler.
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_every_row_is_accounted_for_and_the_platform_works(postgres_url: str, seed: int) -> None:
    with v1_database(postgres_url) as url:
        with psycopg.connect(dsn(url)) as connection:
            populate(connection, seed)
        before = all_ids(url)

        report = v1.upgrade(url, quiet)

        assert catalog.differences(catalogs.load("v2"), read_catalog(url)) == []
        made = made_ids(url)
        after = all_ids(url)
        for table in report.tables:
            aside = aside_ids(url, table.name)
            assert len(aside) == len(set(aside)) == table.set_aside
            assert after[table.name] - made == before[table.name] - set(aside)
            assert set(aside) <= before[table.name]
            assert table.after == table.before + table.made - table.set_aside
        keeps_its_rules(url)
        foreign_keys_are_whole(url)
        works(url)


def keeps_its_rules(url: str) -> None:
    wrong = {
        "versions are numbered by time": """
            select from (
              select version_number,
                row_number() over (partition by document_id order by uploaded_at, id) as place
              from document_versions
            ) as v where version_number <> place""",
        "the newest version is the current one": """
            select from documents d where current_version_id is distinct from (
              select id from document_versions where document_id = d.id order by version_number desc limit 1
            )""",
        "profiles are active": "select from profiles where status <> 'ACTIVE'",
        "an actor is what its id is": f"""
            select from messages where sender_type <> case
              when sender_id = '{NIL}' then 'SYSTEM'
              when sender_id in (select id from agents) then 'AGENT' else 'USER' end::actor_type""",
        "the current step is of the dossier": """
            select from dossiers d join step_instances si on si.id = d.current_step_instance_id
            where si.dossier_id <> d.id""",
        "the lowest step is at or above 0": "select from steps where position < 0",
        "tools are gone": "select from pg_proc where pronamespace = 'fleet'::regnamespace",
    }
    with connect(url) as connection:
        for rule, query in wrong.items():
            assert connection.execute(query.encode()).fetchall() == [], rule


def foreign_keys_are_whole(url: str) -> None:
    with connect(url) as connection:
        keys = connection.execute("""
            select c.relname, a.attname, p.oid::regclass::text
            from pg_constraint k
            join pg_class c on c.oid = k.conrelid
            join pg_class p on p.oid = k.confrelid
            join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
            where k.contype = 'f' and k.connamespace = 'public'::regnamespace and k.convalidated
        """).fetchall()
        assert len(keys) == sum(
            key["def"].startswith("FOREIGN")
            for keys in catalogs.load("v2")["constraints"].values()
            for key in keys
        )
        for table, column, parent in keys:
            orphans = connection.execute(
                f"select from {table} t where {column} is not null "
                f"and not exists (select from {parent} p where p.id = t.{column})".encode()
            ).fetchall()
            assert orphans == [], (table, column)


def works(url: str) -> None:
    with connect(url) as connection:

        def scalar(query: str, *parameters: Any) -> Any:
            row = connection.execute(query.encode(), parameters).fetchone()
            return None if row is None else row[0]

        dossier = scalar("select id from dossiers limit 1")
        if dossier is not None:
            connection.execute("update dossiers set status = 'COMPLETED' where id = %s", [dossier])
            assert scalar("select count(*) from dossier_status_history where new_status = 'COMPLETED'") == 1
            assert scalar("select count(*) from events where event_type = 'DOSSIER_STATUS_CHANGED'") == 1
            assert scalar("select get_next_step_for_dossier(%s)", dossier) is None
        document = scalar("select id from documents limit 1")
        if document is not None:
            number = scalar(
                "select max(version_number) from document_versions where document_id = %s", document
            )
            connection.execute(
                """insert into document_versions
                     (document_id, file_url, uploaded_by_type, uploaded_by_id, version_number)
                   values (%s, 'https://files.example.com/2', 'SYSTEM', %s, %s)""",
                [document, NIL, (number or 0) + 1],
            )
            connection.execute("update documents set status = 'OUTDATED' where id = %s", [document])
            assert scalar("select count(*) from events where event_type = 'DOCUMENT_UPLOADED'") == 1
        assert scalar("select are_step_documents_complete(null)") is True
        assert len(scalar("select generate_payment_link_token()")) == 32
        user = scalar("insert into auth.users default values returning id")
        assert scalar("insert into profiles (id) values (%s) returning status", user) == "PENDING"


def test_a_second_time_it_only_reports(v1_url: str) -> None:
    with psycopg.connect(dsn(v1_url)) as connection:
        populate(connection, seed=1)
    first = v1.upgrade(v1_url, quiet)
    ids = all_ids(v1_url)

    assert v1.upgrade(v1_url, quiet) == first
    assert all_ids(v1_url) == ids


def test_of_two_at_once_one_does_it_and_both_report(v1_url: str) -> None:
    with psycopg.connect(dsn(v1_url)) as connection:
        populate(connection, seed=4)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(v1.upgrade, v1_url, quiet) for _ in range(2)]
        reports = [each.result(timeout=60) for each in both]

    assert reports[0] == reports[1]
    assert catalog.differences(catalogs.load("v2"), read_catalog(v1_url)) == []


def test_the_old_application_goes_on_until_the_cut_over(v1_url: str) -> None:
    """What it writes between any two steps is as good as what was there before."""
    with psycopg.connect(dsn(v1_url)) as connection:
        populate(connection, seed=2)
    written: list[str] = []

    with psycopg.connect(dsn(v1_url), autocommit=True) as application:

        def write(step: str, done: int, total: int) -> None:
            if done < total or step in {"05_triggers", "06_functions", "07_policies"}:
                return
            user = one(application, "insert into auth.users (email) values (null) returning id")
            application.execute("insert into profiles (id) values (%s)", [user])
            place = one(application, "insert into steps (code, position) values (%s, 1) returning id", step)
            dossier = one(
                application,
                """insert into dossiers (user_id, type, status, current_step_id)
                   values (%s, 'LLC', 'ERROR', %s) returning id""",
                user,
                place,
            )
            document = one(
                application,
                """insert into documents (dossier_id, document_type_id)
                   select %s, id from document_types limit 1 returning id""",
                dossier,
            )
            for _ in range(2):
                application.execute(
                    "insert into document_versions (document_id, file_url) values (%s, 'https://example.com')",
                    [document],
                )
            application.execute("insert into messages (dossier_id, content) values (%s, 'Oui')", [dossier])
            if len(written) % 2:
                application.execute(
                    "insert into step_instances (dossier_id, step_id) values (%s, %s)", [dossier, place]
                )
            written.append(dossier)

        v1.upgrade(v1_url, write)

        assert len(written) >= 5
        assert catalog.differences(catalogs.load("v2"), read_catalog(v1_url)) == []
        keeps_its_rules(v1_url)
        stepless = application.execute(
            "select from dossiers where id = any(%s) and current_step_instance_id is null", [written]
        )
        assert stepless.fetchall() == []


def one(connection: psycopg.Connection[tuple[Any, ...]], query: str, *parameters: Any) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def test_a_kill_at_any_moment_costs_nothing(postgres_url: str, v1_url: str) -> None:
    with psycopg.connect(dsn(v1_url)) as connection:
        populate(connection, seed=3)
    whole = state(v1_url)
    kills_then_upgrade(v1_url, [0.08, 0.12, 0.16])
    with v1_database(postgres_url) as other:
        with psycopg.connect(dsn(other)) as connection:
            populate(connection, seed=3)
        assert state(other) == whole
        v1.upgrade(other, quiet)

        assert state(v1_url) == state(other)
        assert read_catalog(v1_url) == read_catalog(other)


def kills_then_upgrade(url: str, moments: list[float]) -> None:
    context = multiprocessing.get_context("fork")
    for moment in moments:
        child = context.Process(target=v1.upgrade, args=(url, quiet))
        child.start()
        child.join(moment)
        child.kill()
        child.join()
        child.close()
    v1.upgrade(url, quiet)


def state(url: str) -> dict[str, list[Any]]:
    """All rows but the ids that the upgrade makes up; the time at which something was done is only "now"."""

    def known(key: str, value: Any) -> Any:
        return "now" if key.endswith("_at") and value and value > LATER else value

    with connect(url) as connection:
        found = {}
        for table in TABLES:
            rows = connection.execute(f"select to_jsonb(t) from {table} t".encode()).fetchall()
            found[table] = sorted(
                str({key: known(key, row[key]) for key in row if key != "current_step_instance_id"})
                for (row,) in rows
                if "made_by_upgrade" not in (row.get("metadata") or {})
            )
        return found
