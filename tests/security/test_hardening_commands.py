"""What an operator types, and what the commands answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from db.measures import measures
from tests.security.supabase import PASSWORD, acting, as_role, clone
from workers.commands import hardening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.supabase import Supabase

app = typer.Typer()
hardening.register(app)


@pytest.fixture
def database(template: Supabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supabase]:
    with clone(template, hardened=False) as found:
        monkeypatch.setenv("DATABASE_URL", found.owner_url)
        yield found


def fleet_db(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, words, input=stdin)


def test_check_harden_check(database: Supabase) -> None:
    assert database.owner_url
    found = fleet_db("check", "--json")
    assert found.exit_code == 1
    findings: list[dict[str, Any]] = json.loads(found.stdout)
    assert {finding["mend"] for finding in findings if finding["kind"] == "hole"} == {"fleet db harden"}
    assert "a client changes status, stripe_customer_id" in fleet_db("check").stdout

    planned = fleet_db("harden", "--dry-run", "--json")
    assert json.loads(planned.stdout) == {"dry_run": True, "measures": [m.what for m in measures()]}
    assert fleet_db("check").exit_code == 1

    done = fleet_db("harden")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, len(measures()))
    assert fleet_db("harden").stdout == "nothing to do\n"
    assert fleet_db("check").exit_code == 0
    assert fleet_db("check").stdout.endswith("as expected, and closed\n")


def test_role(database: Supabase, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fleet_db("role", database.worker, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert told.exit_code == 1
    assert "auth.users belongs to another role" in told.stderr
    assert f'create policy "fleet_read_{database.worker}" on auth.users' in told.stderr

    monkeypatch.setenv("DATABASE_URL", database.admin_url)
    told = fleet_db("role", database.worker, "--json")
    assert (told.exit_code, json.loads(told.stdout)["left"]) == (0, [])
    with acting(as_role(database.admin_url, database.worker, PASSWORD)):
        pass


def test_role_prints_sql_and_changes_nothing(database: Supabase) -> None:
    printed = fleet_db("role", database.worker, "--print-sql")
    assert printed.exit_code == 0
    assert printed.stdout.startswith(f'begin;\ncreate role "{database.worker}" login;\n')
    with acting(database.admin_url) as connection:
        assert connection.exec_driver_sql(f"select to_regrole('{database.worker}')").scalar() is None


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["x", "--password-stdin", "--print-sql"], "secret\n", "prints no password"),
        (["x", "--password-stdin"], "\n", "Standard input is empty"),
        (["service_role"], None, "choose another name"),
    ],
)
def test_wrong_calls_are_told(database: Supabase, words: list[str], stdin: str | None, said: str) -> None:
    assert database.owner_url
    told = fleet_db("role", *words, stdin=stdin)
    assert told.exit_code == 2
    assert said in told.stderr


def test_harden_without_the_fleet(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    told = fleet_db("harden")
    assert told.exit_code == 1
    assert "run fleet db upgrade first" in told.stderr
