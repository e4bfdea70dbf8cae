"""Payments by hand, against the sandbox's Stripe: said first, done, recorded, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from tests.notifications.pipeline import execute
from tests.sandbox.conftest import API_KEY
from tests.sandbox.conftest import serving as serving_sandbox
from tests.workers.test_settings import COMPLETE
from workers.cli import app as cli
from workers.dev.sandbox.state import USUAL_STRIPE_KEY, SandboxSettings
from workers.dev.shop import Shop

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Client
    from workers.dev.embedded.redis import EmbeddedRedis
    from workers.dev.sandbox.client import SandboxClient


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxClient]:
    leaving: list[threading.Thread] = []
    with serving_sandbox(SandboxSettings(api_key=API_KEY), leaving) as client:
        yield client
    for thread in leaving:
        thread.join()


@pytest.fixture
def shop(
    stripe: SandboxClient,
    owner_url: str,
    database_url: str,
    redis_server: EmbeddedRedis,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    stripe.clear_stripe()
    ours = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_server.url,
        "STRIPE_SECRET_KEY": USUAL_STRIPE_KEY,
        "STRIPE_BASE_URL": stripe.base_url,
    }
    environment = COMPLETE | ours
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Shop(owner_url, environment) as shop:
        yield shop


@pytest.fixture
def sold(shop: Shop, stripe: SandboxClient, owner_url: str) -> Client:
    """Paid an hour ago, and no webhook has come."""
    client = shop.register("camille@example.com", "Camille Exemple")
    stripe.pay(shop.checkout(client).session_id)
    # The platform's trigger would say that it has changed just now.
    execute(
        owner_url,
        "alter table orders disable trigger user",
        "update orders set created_at = now() - interval '1 hour', updated_at = now() - interval '1 hour'",
        "alter table orders enable trigger user",
    )
    return client


def fleet(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def rows(application: sessionmaker[Session], statement: str) -> list[Any]:
    with application() as session:
        return list(session.execute(text(statement)))


def status(application: sessionmaker[Session], client: Client) -> str:
    (row,) = rows(application, f"select status::text from orders where id = '{client.order_id}'")
    return str(row.status)


def test_reconcile_settles_what_no_webhook_has_told(sold: Client, application: sessionmaker[Session]) -> None:
    done = fleet("reconcile")
    assert (done.exit_code, status(application, sold)) == (0, "PAID")
    assert "orders: 1 checked, 1 settled, 1 call" in done.stdout
    assert str(sold.order_id) in done.stdout.replace("\n", "")
    again = json.loads(fleet("reconcile", "--json").stdout)
    assert [report["settled"] for report in again["reports"]] == [0, 0, 0]
    assert (again["dry_run"], again["drained"], again["waiting"]) == (False, 0, 0)
    assert rows(application, "select count(*) from fleet.settlements")[0][0] == 1


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    sold: Client, application: sessionmaker[Session]
) -> None:
    said = fleet("reconcile", "--dry-run", "--since", "2d")
    assert (said.exit_code, status(application, sold)) == (0, "PENDING")
    assert "nothing was written" in said.stdout
    assert "orders: 1 checked, 1 settled, 1 call" in said.stdout
    for table in ("inbox", "sweeps", "session_checks", "settlements", "findings"):
        assert rows(application, f"select * from fleet.{table}") == []


def test_reconcile_says_where_stripe_refuses_and_where_another_is_at_it(
    sold: Client, application: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, owner_url: str
) -> None:
    assert fleet("reconcile", "--since", "yesterday").exit_code == 2
    execute(
        owner_url,
        "insert into fleet.sweeps (name, since, until, lease_until)"
        " values ('events', now(), now(), now() + interval '1 minute')",
    )
    busy = fleet("reconcile")
    assert (busy.exit_code, "events: another is at it" in busy.stdout) == (1, True)
    assert status(application, sold) == "PAID"
    execute(owner_url, "update fleet.sweeps set lease_until = null")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_of_another_account")
    refused = fleet("reconcile")
    assert refused.exit_code == 3
    assert "http_401" in refused.stderr


def test_an_order_is_settled_by_hand_and_recorded(sold: Client, application: sessionmaker[Session]) -> None:
    order = str(sold.order_id)
    assert fleet("settle", order).exit_code == 2
    said = fleet("settle", order, "--dry-run")
    assert (said.exit_code, status(application, sold)) == (0, "PENDING")
    assert "would be SETTLED" in said.stdout
    assert rows(application, "select * from fleet.interventions") == []

    done = fleet("settle", order, "--why", "the client has called", "--who", "dominique", "--json")
    assert (done.exit_code, status(application, sold)) == (0, "PAID")
    assert json.loads(done.stdout)["applied"]["outcome"] == "SETTLED"
    (row,) = rows(application, "select * from fleet.interventions")
    assert (row.who, row.why, row.action, row.subject) == (
        "dominique",
        "the client has called",
        "settle",
        sold.order_id,
    )
    assert rows(application, "select learned from fleet.settlements") == [("HAND",)]


def test_an_order_that_can_not_be_settled_says_why(
    shop: Shop, application: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    why = ("--why", "the client has called")
    assert fleet("settle", "not-an-id", *why).exit_code == 2
    nobody = fleet("settle", str(uuid4()), *why)
    assert (nobody.exit_code, "There is no order" in nobody.stderr) == (1, True)
    client = shop.register("camille@example.com", "Camille Exemple")
    bare = fleet("settle", str(client.order_id), *why)
    assert (bare.exit_code, "neither a Checkout Session nor a payment" in bare.stderr) == (1, True)
    shop.checkout(client)
    waiting = fleet("settle", str(client.order_id), *why)
    assert (waiting.exit_code, "WAITING" in waiting.stdout) == (1, True)
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_of_another_account")
    away = fleet("settle", str(client.order_id), *why)
    assert (away.exit_code, "Stripe did not answer: http_401" in away.stderr) == (3, True)
    assert status(application, client) == "PENDING"
