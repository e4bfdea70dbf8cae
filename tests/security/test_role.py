"""The fleet's role: made in whatever hands ``auth`` is, and taken back without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from db import catalog
from db.engine import dsn
from db.harden import harden
from db.privileges import INSERTS, READS, UPDATES
from db.role import RoleError, create, refresh, script, withdraw
from tests.security.supabase import PASSWORD, acting, as_role, clone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.supabase import Supabase


@pytest.fixture
def database(template: Supabase) -> Iterator[Supabase]:
    with clone(template, hardened=False) as found:
        yield found


def granted(database: Supabase) -> list[tuple[str, str, str]]:
    """Everything that the role was granted: object, column or nothing, privilege."""
    with acting(database.admin_url) as connection:
        rows = connection.execute(
            text("""
                select c.oid::regclass::text, '', acl.privilege_type
                from pg_class c, aclexplode(c.relacl) acl
                where acl.grantee = to_regrole(:role)::oid
                union all
                select c.oid::regclass::text, a.attname, acl.privilege_type
                from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) acl
                where acl.grantee = to_regrole(:role)::oid
                order by 1, 2, 3"""),
            {"role": database.worker},
        )
        return [(table, column, privilege) for table, column, privilege in rows]


def test_where_auth_is_anothers_the_operator_is_told_what_to_run(database: Supabase) -> None:
    with acting(database.owner_url) as connection:
        outcome = create(connection, database.worker, PASSWORD)
    assert [line.split(" on ")[0] for line in outcome.left] == [
        "grant usage",
        "grant select (id, email)",
        "drop policy if exists " + f'"fleet_read_{database.worker}"',
        "create policy " + f'"fleet_read_{database.worker}"',
    ]
    with acting(database.admin_url) as connection:
        for statement in outcome.left:
            connection.exec_driver_sql(statement)
    with acting(database.owner_url) as connection:
        assert create(connection, database.worker).left == []
    with acting(as_role(database.admin_url, database.worker, PASSWORD)) as connection:
        assert connection.scalar(text("select current_user")) == database.worker
        connection.execute(text("select id, email from auth.users"))


def test_it_has_what_is_listed_and_nothing_more(database: Supabase) -> None:
    database.make_worker()
    platforms = {grant for grant in granted(database) if not grant[0].startswith("fleet.")}
    assert platforms == {
        *((table, "", "SELECT") for table in READS),
        *((table, "", "INSERT") for table in INSERTS),
        *((table, column, "UPDATE") for table, columns in UPDATES.items() for column in columns),
        *(("auth.users", column, "SELECT") for column in ("id", "email")),
    }
    with acting(database.admin_url) as connection:
        connection.execute(text(f"grant delete on events to {database.worker}"))
    assert refreshed(database) == [database.worker]
    assert ("events", "", "DELETE") not in granted(database)


def refreshed(database: Supabase) -> list[str]:
    with acting(database.owner_url) as connection:
        return refresh(connection)


def test_the_script_does_the_same(database: Supabase) -> None:
    database.make_worker()
    made = granted(database)
    with acting(database.admin_url) as connection:
        printed = script(connection, database.worker)
        before = catalog.read(connection)["policies"]
        withdraw(connection)
    assert granted(database) == []

    with psycopg.connect(dsn(database.admin_url), autocommit=True) as connection:
        connection.execute(printed.encode())

    assert granted(database) == made
    with acting(database.admin_url) as connection:
        assert catalog.read(connection)["policies"] == before
        assert "scram" not in script(connection, "another").lower()


def test_withdrawn_it_leaves_no_trace(database: Supabase) -> None:
    def policies() -> list[object]:
        with acting(database.admin_url) as connection:
            return [catalog.read(connection, schema)["policies"] for schema in ("public", "auth")]

    before = policies()
    database.make_worker()
    assert policies() != before
    with acting(database.admin_url) as connection:
        assert withdraw(connection) == [database.worker]
        assert withdraw(connection) == []
    assert policies() == before
    assert granted(database) == []


def test_it_may_call_the_door_of_erasure_once_there_is_one(database: Supabase) -> None:
    url = database.make_worker()
    with acting(database.owner_url) as connection:
        harden(connection)
    assert refreshed(database) == [database.worker]
    with acting(url) as connection:
        assert connection.scalar(text("select fleet.redact_event(:id)"), {"id": uuid4()}) is False


def test_the_server_never_sees_the_password(database: Supabase) -> None:
    with acting(database.owner_url) as connection:
        create(connection, database.worker, PASSWORD)
    with acting(database.admin_url) as connection:
        stored = connection.scalar(
            text("select rolpassword from pg_authid where rolname = :role"), {"role": database.worker}
        )
    assert stored.startswith("SCRAM-SHA-256$")


def test_a_name_that_needs_quoting_is_quoted(database: Supabase) -> None:
    name = f'it\'s "{uuid4().hex[:8]}" 100 % :me'
    with acting(database.admin_url) as connection:
        assert create(connection, name, PASSWORD).left == []
        withdraw(connection)
    with psycopg.connect(dsn(database.admin_url)) as plain:
        plain.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("name", ["authenticated", "postgres", "pg_monitor", "supabase_admin", "", "x" * 51])
def test_names_of_others_are_refused(database: Supabase, name: str) -> None:
    with acting(database.admin_url) as connection, pytest.raises(RoleError, match="choose another name"):
        create(connection, name)


def test_a_role_with_powers_is_refused(database: Supabase) -> None:
    with acting(database.admin_url) as connection:
        with pytest.raises(RoleError, match="has powers of its own"):
            create(connection, database.owner)
        connection.exec_driver_sql(f"create role {database.worker}")
        connection.exec_driver_sql(f"grant service_role to {database.worker}")
        with pytest.raises(RoleError, match="has another role's rights"):
            script(connection, database.worker)
