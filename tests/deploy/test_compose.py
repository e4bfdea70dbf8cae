"""docker-compose.yml fits the specification, and all of the fleet in it starts and does its work.

Each command is started once, natively, in the order of the file, for all tests together. The last of those
that ask for ``running`` stops them.
"""

from __future__ import annotations

import base64
import json
import re
import stat
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import urllib3
from jsonschema.validators import validator_for

from db import migrate
from db.engine import dsn
from tasks import wakeups
from tests.deploy.composed import (
    COMPOSE_FILE,
    ROOT,
    Composed,
    fleet_services,
    megabytes,
    read,
    seconds,
    secret_files,
    services,
    starting_order,
)
from workers.dev.application import Application
from workers.dev.sandbox.client import SandboxClient
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from tests.databases import Database

WORKERS = [name for name in services() if name.startswith("worker-")]
ONE_SHOTS = ["migrate", "role"]
SOURCES = ["relay", "beat"]
PROCESSES = ["ingress", *WORKERS, *SOURCES, "flower"]

_OPEN = "select from fleet.attempts where closed_at is null and opened_at > %s"
_MAILED = "select from notification_deliveries where status = 'SENT' and channel = 'EMAIL' and recipient = %s"


def test_the_file_fits_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text("utf-8"))
    validator = validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(read())] == []


def test_nothing_in_it_is_left_to_the_shell() -> None:
    assert re.findall(r"(?<!\$)\$(?!\$).*", COMPOSE_FILE.read_text("utf-8")) == []


def test_these_are_the_processes_of_the_fleet() -> None:
    assert set(fleet_services()) == {*ONE_SHOTS, *PROCESSES, "sandbox"}
    assert services()["sandbox"]["profiles"] == ["sandbox"]


def test_the_workers_share_all_queues_between_them() -> None:
    queues = [queue for name in WORKERS for queue in services()[name]["command"][2].split(",")]
    assert sorted(queues) == sorted(wakeups.QUEUES)


def test_the_image_is_of_this_release() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert {service["image"] for service in fleet_services().values()} == {f"partners-vrai-fleet:{version}"}


def test_what_makes_work_stops_first_and_the_servers_last() -> None:
    order = [*reversed(starting_order())]
    assert max(order.index(name) for name in SOURCES) < min(order.index(name) for name in WORKERS)
    assert max(order.index(name) for name in WORKERS) < order.index("ingress")
    assert order.index("ingress") < order.index("role") < order.index("migrate")
    assert services()["role"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services()["ingress"]["depends_on"]["role"] == {"condition": "service_completed_successfully"}
    for name in ("ingress", *WORKERS, "flower"):
        assert services()[name]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert services()["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_all_come_back_by_themselves_but_what_is_to_run_once() -> None:
    assert {name for name, service in services().items() if service["restart"] == "no"} == set(ONE_SHOTS)


@pytest.mark.parametrize("name", sorted(services()))
def test_each_has_its_limits(name: str) -> None:
    service = services()[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"memory", "cpus", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_page_tells_the_limits_and_they_leave_room() -> None:
    page = (ROOT / "docs/scaling.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \|.* \| (\d+) MB \|$", page, re.MULTILINE)
    assert {name for name, _, _ in rows} == set(PROCESSES)
    for name, measured, limit in rows:
        assert megabytes(services()[name]["deploy"]["resources"]["limits"]["memory"]) == int(limit), name
        assert int(measured) * 2 <= int(limit), name


@pytest.mark.parametrize("name", sorted(fleet_services()))
def test_each_of_the_fleet_can_write_nowhere_and_may_do_nothing(name: str) -> None:
    service = fleet_services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("volumes")


def test_only_the_ingress_flower_and_the_sandbox_are_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert set(ports) == {"ingress", "flower", "sandbox"}
    assert all(port.startswith("127.0.0.1:") for listed in ports.values() for port in listed)
    assert read()["networks"]["servers"] == {"internal": True}
    assert services()["postgres"]["networks"] == services()["redis"]["networks"] == ["servers"]


def test_the_owner_of_the_database_is_known_to_two_that_end_before_the_rest_start() -> None:
    seen = {name: set(secret_files(service).values()) for name, service in services().items()}
    assert {name for name, files in seen.items() if "OWNER_DATABASE_URL" in files} == {*ONE_SHOTS}
    assert {name for name, files in seen.items() if "POSTGRES_PASSWORD" in files} == {"postgres"}
    assert secret_files(services()["sandbox"]) == {}
    assert "env_file" not in services()["sandbox"]


def test_the_script_makes_every_secret_for_nobody_else_and_overwrites_none(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    script = ["sh", str(ROOT / "docs/deploy/secrets.sh"), str(folder)]
    said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    made = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert set(made) == set(read()["secrets"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Compose mounts them as they are, for users that are not those of this machine.
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    empty = {name for name, value in made.items() if not value}
    assert {line.rpartition("/")[2] for line in said.splitlines()} == empty - {"SENTRY_DSN"}
    assert f"fleet_worker:{made['ROLE_PASSWORD']}@postgres:5432/fleet" in made["DATABASE_URL"]
    assert f"owner:{made['POSTGRES_PASSWORD']}@postgres:5432/fleet" in made["OWNER_DATABASE_URL"]
    (folder / "STRIPE_SECRET_KEY").write_text("sk_test_madeup", "utf-8")
    subprocess.run(script, check=True, capture_output=True)
    again = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert again == made | {"STRIPE_SECRET_KEY": "sk_test_madeup"}


def test_migrate_and_role_make_an_empty_database_ready(running: Composed, bare: Database) -> None:
    newest = max(path.stem for path in (ROOT / "db/migrations/versions").glob("0*.py"))
    assert migrate.current(bare.owner_url) == newest
    log = (running.folder / "role.log").read_text("utf-8")
    assert "password set" in log
    assert running.settings("worker-messages")["DATABASE_URL"] == bare.url != bare.owner_url


def test_an_event_reaches_a_person_and_its_receipt_comes_back(running: Composed, bare: Database) -> None:
    with Application(bare.owner_url) as application:
        client = application.register("client@example.com", "Camille Exemple")
        event_id = application.event("PAYMENT_FAILED", "order", client.order_id)
    told = """
        select from fleet.fanouts f
        join public.notifications n on n.event_id = f.event_id
        join public.notification_deliveries d on d.notification_id = n.id
        join fleet.attempts a on a.delivery_id = d.id
        join fleet.receipts r on r.token = a.token
        where f.event_id = %s and d.channel = 'EMAIL' and d.status = 'SENT'
    """
    running.started["worker-upkeep"].until(_whether(bare.owner_url, told, event_id))
    with SandboxClient(running.url("sandbox")) as sandbox:
        assert len(sandbox.messages(to="client@example.com")) == 1


def test_the_ingress_answers_and_refuses_what_is_not_signed(running: Composed) -> None:
    ingress = running.started["ingress"]
    ingress.until(lambda: _status(f"{ingress.url}/health") == 200)
    assert ingress.healthy()
    assert _status(f"{ingress.url}/webhooks/sendgrid", method="POST", body=b"[]") == 403
    assert _status(f"{ingress.url}/ops") in {200, 302, 303, 401}


def test_flower_asks_for_its_password(running: Composed) -> None:
    flower = running.started["flower"]
    flower.until(lambda: _status(f"{flower.url}/healthcheck") == 200)
    assert flower.healthy()
    password = running.settings("flower")["FLEET_OPS_PASSWORD"]
    signed_in = {"Authorization": "Basic " + base64.b64encode(f"operator:{password}".encode()).decode()}
    assert _status(f"{flower.url}/") == 401
    assert _status(f"{flower.url}/", headers=signed_in) == 200


def test_the_sandbox_is_healthy(running: Composed) -> None:
    assert running.started["sandbox"].healthy()


def test_beat_is_healthy_once_the_timetable_is_kept(running: Composed, bare: Database) -> None:
    beat = running.started["beat"]
    beat.until(_whether(bare.owner_url, "select from fleet.schedule where finished_at > %s", _long_ago()))
    beat.until(beat.healthy)


def test_all_workers_are_there_and_healthy(running: Composed) -> None:
    checks = {json.dumps(services()[name]["healthcheck"]) for name in WORKERS}
    assert len(checks) == 1, "the check is the same, so one of them is asked"
    checked = running.started["worker-messages"].check("--json")
    assert checked.returncode == 0, checked.stderr
    assert len(json.loads(checked.stdout)["workers"]) == len(WORKERS)


def test_a_worker_that_is_stopped_writes_the_outcome_of_each_send_under_way(
    running: Composed, bare: Database
) -> None:
    with SandboxClient(running.url("sandbox")) as sandbox:
        sandbox.set_latency(2.0)
        with Application(bare.owner_url) as application:
            client = application.register("presse@example.com", "Dominique Exemple")
            for _ in range(20):
                application.event("PAYMENT_FAILED", "order", client.order_id)
        running.started["worker-messages"].until(_whether(bare.owner_url, _OPEN, _long_ago()))
        assert _stop_in_time(running, ["worker-messages"])
        accepted = len(sandbox.messages(to=client.email))
    assert not _whether(bare.owner_url, _OPEN, _long_ago())()
    assert 0 < accepted == _count(bare.owner_url, _MAILED, client.email)


def test_a_worker_tells_what_is_overdue_elsewhere(running: Composed, bare: Database) -> None:
    with Application(bare.owner_url) as application:
        client = application.register("autre@example.com", "Andrea Exemple")
        notification_id = application.notify(client, "Rendez-vous", "Votre rendez-vous est confirmé.")
        delivery_id = application.deliver(notification_id, "IN_APP", str(client.user_id))
    _make_overdue(bare.owner_url, delivery_id)
    assert not running.started["worker-events"].healthy()


def test_they_stop_in_time_and_have_written_no_file(running: Composed) -> None:
    for together in (SOURCES, WORKERS, ["ingress", "flower"]):
        assert _stop_in_time(running, together), together
    assert [*running.image.iterdir()] == [], "something was written where the image is read-only"


def test_a_worker_has_longer_to_stop_than_a_send_may_take() -> None:
    fields = Settings.model_fields
    a_send = 2 * (fields["connect_timeout_seconds"].default + fields["read_timeout_seconds"].default)
    for name in WORKERS:
        assert seconds(services()[name]["stop_grace_period"]) > a_send


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


def _stop_in_time(running: Composed, names: Sequence[str]) -> bool:
    """Stop services that do not depend on each other, as Compose does: side by side."""
    with ThreadPoolExecutor() as threads:
        return all(threads.map(lambda name: running.started[name].stops_in_time(), names))


def _make_overdue(owner_url: str, delivery_id: UUID) -> None:
    with psycopg.connect(dsn(owner_url)) as connection:
        connection.execute(
            "update fleet.dispatch set due_at = now() - interval '6 minutes' where delivery_id = %s",
            [delivery_id],
        )


def _count(owner_url: str, query: str, value: object) -> int:
    with psycopg.connect(dsn(owner_url)) as connection:
        return len(connection.execute(query.encode(), [value]).fetchall())


def _whether(owner_url: str, query: str, value: object) -> Callable[[], bool]:
    return lambda: _count(owner_url, query, value) > 0


def _status(url: str, *, method: str = "GET", **given: Any) -> int:
    """The status of an answer; 0 while nobody answers."""
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        try:
            return pool.request(method, url, **given).status
        except urllib3.exceptions.HTTPError:
            return 0
