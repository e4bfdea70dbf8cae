"""Flower as operators reach it: one process of it, what it lets in, and what it shows."""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
import urllib3
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from db.queries import links
from tasks.wakeups import QUEUES
from tests.e2e.test_processes import SETTINGS
from workers.clock import utc_now
from workers.dev.processes import ChildProcess, wait_until
from workers.dev.stack import bare_environment, free_port
from workers.ops.sign_in import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.databases import Database
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e

DEADLINE = 30.0
USER, PASSWORD = "dominique", "clé correcte"
BEHIND = "/watch"
"""The path that a proxy would pass on."""

CHANGES = (
    *("worker/shutdown/w", "worker/pool/restart/w", "worker/pool/grow/w", "worker/pool/shrink/w"),
    *("worker/pool/autoscale/w", "worker/queue/add-consumer/w", "worker/queue/cancel-consumer/w"),
    *("task/apply/schedule.tick", "task/async-apply/schedule.tick", "task/send-task/schedule.tick"),
    *("task/abort/i", "task/timeout/schedule.tick", "task/rate-limit/schedule.tick", "task/revoke/i"),
)


@dataclass(frozen=True)
class Running:
    """A process of Flower's."""

    process: ChildProcess
    root: str
    seal: Seal
    broker: redis.Redis

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        given = dict(headers or {})
        return urllib3.request(method, self.root + path, headers=given, retries=False, timeout=10)

    def read(self, path: str) -> Any:
        answer = self.ask(path, headers=signed_in())
        assert answer.status == 200, (path, answer.status, answer.data)
        return json.loads(answer.data)


def signed_in(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.fixture(scope="module")
def flower(
    module_database: Database, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """With everything around it that would open Flower's own command."""
    folder = tmp_path_factory.mktemp("flower")
    (folder / "flowerconfig.py").write_text("read_only = False\nbasic_auth = ['a:b']\n")
    port = free_port(0)
    given = SETTINGS | {
        "DATABASE_URL": module_database.url,
        "REDIS_URL": redis_server.url,
        "FLEET_OPS_USER": USER,
        "FLEET_OPS_PASSWORD": PASSWORD,
        "FLEET_FLOWER_URL": f"https://fleet.example.com{BEHIND}/",
        "FLOWER_BASIC_AUTH": "a:b",
        "FLOWER_READ_ONLY": "false",
        "FLOWER_UNAUTHENTICATED_API": "true",
    }
    process = ChildProcess(
        [sys.executable, "-m", "workers.cli", "flower", "--port", str(port)],
        log=folder / "flower.log",
        env=bare_environment(os.environ) | given,
        cwd=folder,
    )
    engine = make_engine(module_database.url, pool_size=1)
    with sessionmaker(engine)() as session:
        key = links.signing_key(session)
    engine.dispose()
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
        seal = Seal(USER, PASSWORD, lambda: key, utc_now)
        running = Running(process, f"http://127.0.0.1:{port}", seal, broker)
        assert wait_until(lambda: _healthy(running), DEADLINE), process.output(60)
        yield running
    process.terminate(20)
    assert process.returncode == 0, process.output(60)


def _healthy(running: Running) -> bool:
    try:
        return running.ask("/healthcheck").status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.parametrize(
    "path",
    [
        *("/", f"{BEHIND}/", f"{BEHIND}/tasks", f"{BEHIND}/broker", f"{BEHIND}/metrics", "/metrics"),
        *(f"{BEHIND}/api/tasks", f"{BEHIND}/api/workers", f"{BEHIND}/static/js/flower.js", "/nowhere"),
    ],
)
def test_nothing_but_health_is_told_to_strangers(flower: Running, path: str) -> None:
    for headers in ({}, signed_in("a", "b"), {"Authorization": "Basic ä"}, {"Cookie": "fleet-ops=a.b"}):
        answer = flower.ask(path, headers=headers)
        assert answer.status == 401, headers
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert b"lower" not in answer.data
        assert flower.ask(f"{BEHIND}/workers", headers=signed_in()).status == 200


def test_the_operators_password_opens_it(flower: Running) -> None:
    page = flower.ask(f"{BEHIND}/tasks", headers=signed_in())
    assert page.status == 200
    assert f'href="{BEHIND}/broker"' in page.data.decode()
    assert b'data-column="result"' in page.data
    assert flower.ask(f"{BEHIND}/static/js/flower.js", headers=signed_in()).status == 200
    assert PASSWORD.encode() not in Path(f"/proc/{flower.process.pid}/cmdline").read_bytes()


def test_who_is_signed_in_to_the_operators_pages_is_in(flower: Running) -> None:
    session = flower.seal.session("Dominique Exemple")
    assert flower.ask(f"{BEHIND}/", headers={"Cookie": f'__Host-fleet-ops="{session}"'}).status == 200
    forged = Seal(USER, PASSWORD, lambda: b"another", utc_now).session("Dominique Exemple")
    assert flower.ask(f"{BEHIND}/", headers={"Cookie": f'__Host-fleet-ops="{forged}"'}).status == 401


def test_nobody_changes_a_thing(flower: Running) -> None:
    before = _queued(flower)
    for path in CHANGES:
        for headers in (signed_in(), signed_in() | {"Sec-Fetch-Site": "same-origin"}):
            assert flower.ask(f"{BEHIND}/api/{path}", "POST", headers).status == 403, path
        assert flower.ask(f"{BEHIND}/api/{path}", "POST").status == 401, path
    assert _queued(flower) == before


def _queued(flower: Running) -> dict[str, int]:
    """What waits in each queue; Flower's own replies come and go beside them."""
    return {queue: int(flower.broker.llen(queue)) for queue in QUEUES}


def test_a_form_of_another_site_is_refused(flower: Running) -> None:
    form = f"{BEHIND}/tasks/datatable?draw=1&start=0&length=5&order[0][column]=0"
    assert flower.ask(form, "POST", signed_in() | {"Sec-Fetch-Site": "same-origin"}).status == 200
    assert flower.ask(form, "POST", signed_in() | {"Sec-Fetch-Site": "same-site"}).status == 403
    assert flower.ask(form, "POST", signed_in() | {"Origin": "https://evil.example.com"}).status == 403


def test_every_queue_is_listed_though_nobody_works_it_off(flower: Running) -> None:
    flower.broker.lpush("sms", "a", "b")
    told = {
        each["name"]: each["messages"] for each in flower.read(f"{BEHIND}/api/queues/length")["active_queues"]
    }
    assert told == dict.fromkeys(QUEUES, 0) | {"sms": 2}
    page = flower.ask(f"{BEHIND}/broker", headers=signed_in()).data.decode()
    assert all(f">{queue}<" in page for queue in QUEUES)
    flower.broker.delete("sms")
