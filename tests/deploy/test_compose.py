"""docker-compose.yml fits the specification, and each command of the fleet in it starts and does its work."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import psycopg
import pytest
import urllib3
from jsonschema.validators import validator_for

from db import migrate
from db.engine import dsn
from tasks import wakeups
from tests.deploy.composed import ROOT, Composed, read, services
from tests.deploy.conftest import FILLED_IN
from workers.celery_app import make_app
from workers.dev.application import Application
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import redis


def test_the_file_fits_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text("utf-8"))
    validator = validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(read())] == []


def test_addresses_are_those_of_the_services() -> None:
    environment = services(FILLED_IN)["worker"]["environment"]
    assert environment["DATABASE_URL"] == "postgresql://fleet:madeup@postgres:5432/fleet"
    assert environment["REDIS_URL"] == "redis://redis:6379/0"


def test_given_addresses_win() -> None:
    given = FILLED_IN | {"DATABASE_URL": "postgresql://db.example.com/app"}
    assert services(given)["relay"]["environment"]["DATABASE_URL"] == "postgresql://db.example.com/app"


def test_a_missing_password_is_said() -> None:
    with pytest.raises(AssertionError, match=r"POSTGRES_PASSWORD is not set: Set POSTGRES_PASSWORD in \.env"):
        services({})


def test_the_fleet_starts_after_the_migration_and_comes_back_by_itself() -> None:
    declared = services(FILLED_IN)
    assert declared["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    processes = {n: s for n, s in declared.items() if "build" in s and n not in {"migrate", "sandbox"}}
    assert set(processes) == {"relay", "beat", "worker", "worker-fanout", "ingress", "flower"}
    for service in processes.values():
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert service["depends_on"]["redis"] == {"condition": "service_healthy"}
        assert service["restart"] == "unless-stopped"


def test_the_workers_share_all_queues_between_them() -> None:
    declared = services(FILLED_IN)
    queues = [q for name in ("worker", "worker-fanout") for q in declared[name]["command"][2].split(",")]
    assert sorted(queues) == sorted(wakeups.QUEUES)


def test_migrate_brings_an_empty_database_up(composed: Composed, empty_database: str) -> None:
    composed.addresses = {**composed.addresses, "DATABASE_URL": empty_database}
    service = composed.start("migrate")
    assert service.child.wait(30)
    assert service.child.returncode == 0, service.child.output()
    newest = max(path.stem for path in (ROOT / "db/migrations/versions").glob("0*.py"))
    assert migrate.current(empty_database) == newest


def test_relay_publishes_a_wake_up_for_what_is_due(
    composed: Composed, owner_url: str, broker: redis.Redis
) -> None:
    _in_app_delivery(owner_url)
    service = composed.start("relay")
    service.until(lambda: bool(broker.exists("in_app")))
    assert service.stops_in_time()


def test_worker_sends_what_is_due(composed: Composed, owner_url: str) -> None:
    delivery_id = _in_app_delivery(owner_url)
    service = composed.start("worker")
    _wake(composed, "in_app")
    sent = _whether(
        owner_url, "select from notification_deliveries where id = %s and status = 'SENT'", delivery_id
    )
    service.until(sent)
    assert service.healthy()
    assert service.stops_in_time()


def test_worker_fanout_fans_out_and_tells_what_is_overdue_elsewhere(
    composed: Composed, owner_url: str
) -> None:
    with Application(owner_url) as application:
        client = application.register("client@example.com", "Camille Exemple")
        event_id = application.event("PAYMENT_FAILED", "order", client.order_id)
    service = composed.start("worker-fanout")
    _wake(composed, "fanout")
    notified = _whether(
        owner_url, "select from fleet.fanouts where event_id = %s and outcome = 'NOTIFIED'", event_id
    )
    service.until(notified)
    assert service.healthy()
    _make_overdue(owner_url, _in_app_delivery(owner_url))
    assert not service.healthy()
    assert service.stops_in_time()


def test_beat_ticks(composed: Composed, broker: redis.Redis) -> None:
    service = composed.start("beat")
    service.until(lambda: bool(broker.exists("maintenance")))
    assert service.stops_in_time()


def test_ingress_answers_and_refuses_what_is_not_signed(composed: Composed) -> None:
    service = composed.start("ingress")
    service.until(lambda: _status(f"{service.url}/health") == 200)
    assert service.healthy()
    assert _status(f"{service.url}/webhooks/sendgrid", method="POST", body=b"[]") == 403
    assert service.stops_in_time()


def test_flower_asks_for_its_password(composed: Composed) -> None:
    service = composed.start("flower")
    service.until(lambda: _status(f"{service.url}/healthcheck") == 200)
    assert service.healthy()
    password = base64.b64encode(b"operator:madeup").decode()
    assert _status(f"{service.url}/") == 401
    assert _status(f"{service.url}/", headers={"Authorization": f"Basic {password}"}) == 200
    assert service.stops_in_time()


def test_sandbox_answers(composed: Composed) -> None:
    service = composed.start("sandbox")
    service.until(lambda: _status(f"{service.url}/health") == 200)
    assert service.healthy()
    assert _status(f"{service.url}/") == 200
    assert service.stops_in_time()


def test_what_the_sandbox_needs_is_no_secret(composed: Composed) -> None:
    assert composed.environment("sandbox") == {}


def _in_app_delivery(owner_url: str) -> UUID:
    with Application(owner_url) as application:
        client = application.register("client@example.com", "Camille Exemple")
        notification_id = application.notify(client, "Rendez-vous", "Votre rendez-vous est confirmé.")
        return application.deliver(notification_id, "IN_APP", str(client.user_id))


def _make_overdue(owner_url: str, delivery_id: UUID) -> None:
    with psycopg.connect(dsn(owner_url)) as connection:
        connection.execute(
            "update fleet.dispatch set due_at = now() - interval '6 minutes' where delivery_id = %s",
            [delivery_id],
        )


def _settings(composed: Composed) -> Settings:
    return Settings.model_validate(composed.environment("worker"))


def _wake(composed: Composed, queue: str) -> None:
    with make_app(_settings(composed)) as app:
        wakeups.publish(app, queue)


def _whether(owner_url: str, query: str, value: object) -> Callable[[], bool]:
    def holds() -> bool:
        with psycopg.connect(dsn(owner_url)) as connection:
            return connection.execute(query.encode(), [value]).fetchone() is not None

    return holds


def _status(
    url: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> int:
    """The status of an answer; 0 while nobody answers."""
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        try:
            return pool.request(method, url, body=body, headers=headers).status
        except urllib3.exceptions.HTTPError:
            return 0
