from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from typer.testing import CliRunner

from db import catalog, catalogs, migrate, removal, sqlfiles
from db.engine import dsn, make_engine
from db.progress import quiet
from db.recognise import Kind, recognise
from db.v1.losses import LossError, losses
from db.v1.report import TABLES
from db.v1.values import VALUES
from tests.v1.rows import populate, v1_database
from workers.commands import database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


@pytest.fixture(scope="module")
def used_url(postgres_url: str) -> Iterator[str]:
    """A database that was upgraded from v1."""
    with v1_database(postgres_url) as url:
        with psycopg.connect(dsn(url)) as connection:
            populate(connection, seed=5)
        migrate.upgrade(url)
        yield url


@pytest.fixture(scope="module")
def v2_url(postgres_url: str) -> Iterator[str]:
    """A database of v2 that was never one of v1 and holds nothing, without the fleet."""
    with v1_database(postgres_url) as url:
        run(url, "drop schema public cascade", "create schema public", *sqlfiles.read("platform"))
        yield url


def run(url: str, *statements: str) -> None:
    with psycopg.connect(dsn(url)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def state(url: str) -> dict[str, list[str]]:
    """Every row of v1's tables, as it is."""
    with psycopg.connect(dsn(url)) as connection:
        return {
            table: sorted(
                str(row[0]) for row in connection.execute(f"select to_jsonb(t) from {table} t".encode())
            )
            for table in TABLES
        }


def is_v1(url: str) -> None:
    with opened(url) as connection:
        assert recognise(connection).title == "v1"
        assert catalog.differences(catalogs.load("v1"), catalog.read(connection)) == []
        assert connection.scalar(text("select to_regnamespace('fleet')")) is None


# A seed does not shrink to anything simpler.
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_there_and_back_again_every_row_is_as_it_was(postgres_url: str, seed: int) -> None:
    with v1_database(postgres_url) as url:
        with psycopg.connect(dsn(url)) as connection:
            populate(connection, seed)
        before = state(url)
        migrate.upgrade(url)
        assert removal.v1_losses(url) == []

        removal.back_to_v1(url, quiet)

        is_v1(url)
        assert state(url) == before


def test_what_was_changed_since_stays_changed(postgres_url: str) -> None:
    with v1_database(postgres_url) as url:
        run(
            url,
            "insert into steps (code, position) values ('A', -2), ('B', -1)",
            "insert into auth.users (id) values ('00000000-0000-0000-0000-000000000001')",
            "insert into profiles (id) select id from auth.users",
            "insert into dossiers (user_id, type, status, current_step_id)"
            " select u.id, 'LLC', 'ERROR', s.id from auth.users u, steps s where code = 'A'",
        )

        def write(step: str, done: int, of: int) -> None:
            if step == "set_aside" and done == of:
                run(url, "insert into steps (code, position) values ('C', 3)")

        migrate.upgrade(url, progress=write)
        run(
            url,
            "update steps set label = 'Begin' where code = 'A'",
            "update steps set position = 7 where code = 'B'",
            "insert into step_instances (dossier_id, step_id, started_at)"
            " select d.id, s.id, now() from dossiers d, steps s where code = 'B'",
            "update dossiers set current_step_instance_id = si.id"
            " from step_instances si join steps s on s.id = si.step_id where code = 'B'",
        )

        removal.back_to_v1(url, quiet)

        is_v1(url)
        with psycopg.connect(dsn(url)) as connection:
            steps = connection.execute("select code, label, position from steps order by 1").fetchall()
            assert steps == [("A", "Begin", -2), ("B", None, 7), ("C", None, 3)]
            # The step that the dossier has left is remembered.
            instances = connection.execute("select from step_instances").fetchall()
            current = connection.execute(
                "select code from dossiers d join steps s on s.id = d.current_step_id"
            ).fetchall()
            assert (len(instances), current) == (2, [("B",)])


def test_a_rule_for_each_column_that_v1_lacks() -> None:
    # Renamed; of v1 under another name; or derived, and lost only together with another row.
    same = {
        "dossier_status_history.new_status",
        "dossier_status_history.changed_by_id",
        "document_versions.uploaded_by_id",
    }
    v1, v2 = (
        {
            f"{table}.{column['name']}"
            for table in TABLES
            for column in catalogs.load(version)["tables"][table]
        }
        for version in ("v1", "v2")
    )
    assert {f"{table}.{column}" for table, columns in VALUES.items() for column in columns} == v2 - v1 - same


PRODUCT = "insert into products (code, name, dossier_type, price_amount) values ('P', 'P', 'LLC', 1)"

USE = {
    "products": PRODUCT,
    "product_steps": f"""with p as ({PRODUCT} returning id)
        insert into product_steps (product_id, step_id, position)
        select p.id, s.id, 1 from p, (select id from steps limit 1) s""",
    "orders": f"""with p as ({PRODUCT} returning id)
        insert into orders (user_id, product_id, amount) select u.id, p.id, 5 from p, profiles u""",
    "payment_links": f"""with p as ({PRODUCT} returning id)
        insert into payment_links (token, product_id, prospect_email)
        select repeat('a', 32), id, 'prospect@example.com' from p""",
    "step_fields": """insert into step_fields (step_id, field_key, label, field_type, position)
        select id, 'name', 'Name', 'text', 1 from steps""",
    "profiles.status": "update profiles set status = 'SUSPENDED'",
    "profiles.stripe_customer_id": "update profiles set stripe_customer_id = id",
    "profiles.updated_at": "update profiles set full_name = 'Camille Martin'",
    "agents.active": "update agents set active = false",
    "steps.description": "update steps set description = 'What to do'",
    "steps.created_at": "insert into steps (code, label, position) values ('NEW', 'New', 9)",
    "document_types.max_file_size_mb": "update document_types set max_file_size_mb = 20",
    "document_types.allowed_extensions": "update document_types set allowed_extensions = '{pdf}'",
    "dossiers.type": "update dossiers set type = 'DUBAI'",
    "dossiers.status": "update dossiers set status = 'COMPLETED'",
    "dossiers.completed_at": "update dossiers set completed_at = now()",
    "dossiers.metadata": """update dossiers set metadata = '{"a": 1}'""",
    "dossiers.current_step_instance_id": """update dossiers d set current_step_instance_id = (
        select id from step_instances si where si.dossier_id <> d.id limit 1)""",
    "step_instances.assigned_to": "update step_instances set assigned_to = (select id from agents limit 1)",
    "step_instances.metadata": """update step_instances set metadata = metadata || '{"a": 1}'""",
    "dossier_status_history.old_status": "update dossiers set status = 'BANK_OPENED'",
    "dossier_status_history.new_status": "update dossier_status_history set new_status = 'UNDER_REVIEW'",
    "dossier_status_history.changed_by_type": "update dossier_status_history set changed_by_type = 'SYSTEM'",
    "messages.sender_type": "update messages set sender_type = 'AGENT'",
    "messages.attachments": "update messages set attachments = '[1]'",
    "messages.read_at": "update messages set read_at = now()",
    "documents.status": "update documents set status = 'OUTDATED'",
    "documents.step_instance_id": """update documents d set step_instance_id = (
        select id from step_instances si where si.dossier_id = d.dossier_id limit 1)""",
    "documents.current_version_id": """update documents d set current_version_id = (
        select id from document_versions v where v.document_id = d.id order by version_number limit 1)""",
    "document_versions.version_number": "update document_versions set version_number = version_number + 10",
    "document_versions.uploaded_by_type": "update document_versions set uploaded_by_type = 'USER'",
    "document_versions.file_name": "update document_versions set file_name = 'a.pdf'",
    "document_reviews.notes": "update document_reviews set notes = 'Blurred'",
    "events.event_type": """insert into events (entity_type, entity_id, event_type)
        values ('order', gen_random_uuid(), 'PAYMENT_RECEIVED')""",
    "events.actor_id": """insert into events (entity_type, entity_id, event_type, actor_type, actor_id)
        values ('order', gen_random_uuid(), 'ERROR', 'SYSTEM', gen_random_uuid())""",
    "notifications.event_id": """with e as (insert into events (entity_type, entity_id, event_type)
        values ('order', gen_random_uuid(), 'ERROR') returning id)
        update notifications set event_id = (select id from e)""",
    "notifications.action_url": "update notifications set action_url = 'https://www.example.com'",
    "notification_deliveries.status": "update notification_deliveries set status = 'BOUNCED'",
    "notification_deliveries.provider": "update notification_deliveries set provider = 'sendgrid'",
    "column dossiers.priority integer null": "alter table dossiers add column priority integer",
    "table leads": "create table leads (id uuid)",
    "value PAUSED of enum dossier_status_code": "alter type dossier_status_code add value 'PAUSED'",
    'policy agents."Agents"': 'create policy "Agents" on agents for select using (true)',
    "view open_dossiers": "create view open_dossiers as select id from dossiers where status <> 'CLOSED'",
    "fleet.set_aside": """delete from dossiers where id in (
        select (s."row" ->> 'dossier_id')::uuid from fleet.set_aside s where table_name = 'messages')""",
}


@pytest.mark.parametrize("where", USE)
def test_each_use_of_v2_is_a_loss_that_is_named(used_url: str, where: str) -> None:
    with opened(used_url) as connection:
        found = recognise(connection)
        assert losses(connection, found) == []
        connection.exec_driver_sql(USE[where], execution_options={"no_parameters": True})
        assert where in {loss.where for loss in losses(connection, recognise(connection))}
        connection.rollback()


def test_where_something_would_be_lost_nothing_is_changed(
    used_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", used_url)
    with psycopg.connect(dsn(used_url)) as connection:
        connection.execute(PRODUCT.encode())
        connection.commit()
        before = state(used_url)
        try:
            with pytest.raises(LossError) as refused:
                removal.back_to_v1(used_url, quiet)
            told = CliRunner().invoke(database.app, ["downgrade", "v1", "--yes"])
        finally:
            connection.execute("delete from products")

    assert [str(loss) for loss in refused.value.losses] == ["products (1 row): products"]
    assert told.exit_code == 1
    assert "products (1 row): products" in told.stderr
    assert state(used_url) == before
    assert migrate.look(used_url).kind is Kind.V2_MANAGED


def test_stopped_at_any_stage_it_has_changed_nothing(used_url: str) -> None:
    with opened(used_url) as connection:
        whole = catalog.read(connection)
    before = state(used_url)
    for stage in (1, 4, 6):

        def stop(_what: str, done: int, _of: int, stage: int = stage) -> None:
            if done == stage:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            removal.back_to_v1(used_url, stop)
        with opened(used_url) as connection:
            assert catalog.read(connection) == whole
        assert state(used_url) == before


def test_a_v2_that_was_never_v1_becomes_v1_while_it_is_empty(
    v2_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", v2_url)

    def command(*arguments: str) -> tuple[int, Any]:
        told = CliRunner().invoke(database.app, ["downgrade", "v1", "--json", *arguments])
        return told.exit_code, json.loads(told.stdout)

    run(v2_url, PRODUCT)
    code, told = command("--yes")
    assert code == 1
    assert told["refused"] == [{"where": "products", "rows": 1, "what": "products"}]

    run(v2_url, "delete from products")
    assert command("--dry-run") == (
        0,
        {"database": "v2 unmanaged", "to": "v1", "needed": True, "lost": {}, "refused": []},
    )
    assert migrate.look(v2_url).kind is Kind.V2_UNMANAGED
    assert command("--yes")[1]["database"] == "v1"
    is_v1(v2_url)
    assert command("--yes")[1]["needed"] is False
