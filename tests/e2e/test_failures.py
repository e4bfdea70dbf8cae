"""What breaks, and what the sandbox accepted against what the database says afterwards."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
import urllib3

from tests.e2e.conftest import SOONER, Fleet, open_fleet
from workers.dev.embedded.postgres import EmbeddedPostgres
from workers.dev.processes import wait_until
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workers.dev.application import Client
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e


def _messages(fleet: Fleet, client: Client, count: int) -> list[object]:
    return [fleet.application.write_message(client, f"Message {n}") for n in range(count)]


def _each_sent_once(fleet: Fleet, client: Client, count: int) -> None:
    """Each e-mail is SENT and bears the id of the one message that the sandbox accepted for it."""
    sent = fleet.sql(
        "select provider_message_id from notification_deliveries where channel = 'EMAIL' and status = 'SENT'"
        " and recipient = %s and created_at > (select max(created_at) from dossiers)",
        client.email,
    )
    accepted = [message.id for message in fleet.messages(client.email)]
    assert len(accepted) == count
    assert {row[0] for row in sent} >= set(accepted)


def test_a_worker_killed_before_a_send_loses_nothing(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.kill_worker()
    _messages(fleet, client, 20)
    assert fleet.accepted(client.email) == 0
    fleet.revive()
    fleet.wait(lambda: fleet.accepted(client.email) == 20, "all twenty")
    fleet.wait_settled()
    _each_sent_once(fleet, client, 20)


def test_a_worker_killed_during_a_send_that_was_not_accepted(fleet: Fleet) -> None:
    fleet.worker_with(FLEET_UNKNOWN_WAIT_SECONDS="7")
    client = fleet.client()
    fleet.sandbox.fault("slow", seconds=30, when="before")
    event = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: not fleet.sandbox.faults(), "the request that meets the fault")
    fleet.kill_worker()
    delivery = fleet.delivery(event)
    assert delivery["status"] == "PENDING"
    assert fleet.attempts(delivery["id"]) == [(None, None, None)]
    fleet.revive()
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the second try")
    fleet.wait_settled()
    assert fleet.accepted(client.email) == 1
    assert fleet.attempts(delivery["id"]) == [("NO_EVIDENCE", "NONE", None), ("ACCEPTED", "ANSWER", None)]


def test_a_worker_killed_after_an_acceptance_sends_nothing_twice(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sandbox.hold_webhooks()
    fleet.sandbox.fault("slow", seconds=30, when="after")
    event = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the acceptance")
    fleet.kill_worker()
    fleet.revive()
    delivery = fleet.delivery(event)
    # The lease has ended, another worker has seen the open attempt, and waits.
    fleet.wait(
        lambda: fleet.sql(
            "select 1 from fleet.dispatch where delivery_id = %s and lease_until is null and due_at > now()",
            delivery["id"],
        ),
        "the claim that finds the attempt open",
    )
    assert "outcome unknown" in fleet.fleet("explain", delivery["id"])
    assert fleet.accepted(client.email) == 1
    fleet.sandbox.release_webhooks()
    fleet.wait_settled()
    assert fleet.attempts(delivery["id"]) == [("ACCEPTED", "CALLBACK", None)]
    _each_sent_once(fleet, client, 1)


def test_a_line_dropped_after_acceptance_is_settled_by_its_callback(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sandbox.hold_webhooks()
    fleet.sandbox.fault("drop_after")
    event = fleet.application.write_message(client, "Bonjour")
    delivery = fleet.delivery(event)
    fleet.wait(
        lambda: fleet.attempts(delivery["id"]) == [(None, None, "broken_answer")], "the unknown outcome"
    )
    assert fleet.delivery(event)["status"] == "PENDING"
    fleet.sandbox.release_webhooks()
    fleet.wait_settled()
    assert fleet.attempts(delivery["id"]) == [("ACCEPTED", "CALLBACK", "broken_answer")]
    _each_sent_once(fleet, client, 1)


def test_without_evidence_it_is_sent_again_after_the_wait_and_not_before(fleet: Fleet) -> None:
    fleet.worker_with(FLEET_UNKNOWN_WAIT_SECONDS="5")
    client = fleet.client()
    fleet.sandbox.fault("drop_before")
    began = time.monotonic()
    event = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the second try")
    assert time.monotonic() - began >= 5
    fleet.wait_settled()
    outcomes = [outcome for outcome, _, _ in fleet.attempts(fleet.delivery(event)["id"])]
    assert outcomes == ["NO_EVIDENCE", "ACCEPTED"]


def test_the_broker_wiped_with_a_backlog_of_500(fleet: Fleet, redis_server: EmbeddedRedis) -> None:
    client = fleet.client()
    fleet.kill_worker()
    _messages(fleet, client, 500)
    with redis.Redis.from_url(redis_server.url) as broker:
        assert wait_until(lambda: broker.llen("fanout") > 0, 10)
        broker.flushall()
        fleet.revive()
        fleet.wait(lambda: fleet.accepted(client.email) >= 100, "the first hundred")
        broker.flushall()
    fleet.wait(lambda: fleet.accepted(client.email) >= 500, "all five hundred")
    fleet.wait_settled()
    _each_sent_once(fleet, client, 500)


@pytest.fixture
def done_by_flower(fleet: Fleet) -> Iterator[Callable[[], dict[str, str]]]:
    """What Flower shows of the tasks that went well: their results."""
    root = fleet.stack.addresses["flower"]
    process = fleet.stack.spawn("flower", "flower", "--port", str(urlsplit(root).port))
    operator = f"operator:{fleet.stack.environment['FLEET_OPS_PASSWORD']}"
    signed_in = {"Authorization": f"Basic {base64.b64encode(operator.encode()).decode()}"}

    def results() -> dict[str, str]:
        url = f"{root}/api/tasks?state=SUCCESS"
        try:
            answer = urllib3.request("GET", url, headers=signed_in, retries=False)
        except urllib3.exceptions.HTTPError:
            return {}
        return {uuid: task["result"] for uuid, task in json.loads(answer.data).items()}

    yield results
    fleet.stack.children.pop("flower")
    process.terminate(20)


def test_the_broker_restarted(
    fleet: Fleet, redis_server: EmbeddedRedis, done_by_flower: Callable[[], dict[str, str]]
) -> None:
    client = fleet.client()
    # A run of the timetable comes every few seconds.
    fleet.wait(done_by_flower, "a task in Flower")
    before = done_by_flower()
    redis_server.restart()
    _messages(fleet, client, 5)
    fleet.wait(lambda: fleet.accepted(client.email) == 5, "the five")
    fleet.wait_settled()
    _each_sent_once(fleet, client, 5)
    fleet.wait(lambda: done_by_flower().keys() - before, "a task in Flower again")
    before = done_by_flower()
    fleet.application.write_message(client, "Bonjour")
    told = "'email: 1 claimed, 1 sent'"
    fleet.wait(
        lambda: told in dict(done_by_flower().items() - before.items()).values(), "what came of it in Flower"
    )


@pytest.fixture
def fleet_on_own_postgres(redis_server: EmbeddedRedis, run_folder: Path) -> Iterator[Fleet]:
    folder = run_folder / f"stack-{secrets.token_hex(4)}"
    given = bare_environment(os.environ) | SOONER | {"REDIS_URL": redis_server.url}
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    stack = Stack(folder, given, processes=("ingress", "relay", "worker", "beat"), latency=0.2)
    for fleet in open_fleet(stack):
        fleet.fleet("db", "seed")
        yield fleet


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_postgresql_goes_away_in_the_middle_of_a_batch(fleet_on_own_postgres: Fleet, how: str) -> None:
    fleet = fleet_on_own_postgres
    client = fleet.client()
    _messages(fleet, client, 200)
    fleet.wait(lambda: fleet.accepted(client.email) >= 40, "the middle of a batch")
    server = fleet.stack.postgres
    assert isinstance(server, EmbeddedPostgres)
    if how == "crash":
        server.kill()
        server.start()
    else:
        server.restart()
    fleet.wait(lambda: fleet.accepted(client.email) >= 200, "all two hundred")
    fleet.wait_settled()
    _each_sent_once(fleet, client, 200)


def test_429_waits_as_told_and_burns_no_try(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sandbox.fault("status", status=429, retry_after=2)
    began = time.monotonic()
    event = fleet.application.write_message(client, "Bonjour")
    delivery = fleet.delivery(event)
    fleet.wait(
        lambda: fleet.attempts(delivery["id"])[:1] == [("DEFERRED", "ANSWER", "http_429")], "the refusal"
    )
    assert fleet.sql("select tries from fleet.dispatch where delivery_id = %s", delivery["id"]) in (
        [(0,)],
        [],
    )
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the second try")
    assert time.monotonic() - began >= 2
    fleet.wait_settled()
    assert [outcome for outcome, _, _ in fleet.attempts(delivery["id"])] == ["DEFERRED", "ACCEPTED"]


def test_500_is_tried_again(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sandbox.fault("status", status=503, count=2)
    event = fleet.application.write_message(client, "Bonjour")
    fleet.wait(lambda: fleet.accepted(client.email) == 1, "the third try")
    fleet.wait_settled()
    outcomes = [outcome for outcome, _, _ in fleet.attempts(fleet.delivery(event)["id"])]
    assert outcomes == ["DEFERRED", "DEFERRED", "ACCEPTED"]


def test_a_bad_address_fails_at_once_and_says_why(fleet: Fleet) -> None:
    client = fleet.client()
    notification = fleet.application.notify(client, "Bonjour", "Bonjour")
    before = fleet.sandbox.stats().requests
    delivery = fleet.application.deliver(notification, "EMAIL", "camille.example.com")
    fleet.wait_settled()
    status, failed_at, response = fleet.one(
        "select status::text, failed_at, provider_response from notification_deliveries where id = %s",
        delivery,
    )
    assert (status, response["code"]) == ("FAILED", "http_400")
    assert failed_at is not None
    assert fleet.sandbox.stats().requests == before + 1
    story = fleet.fleet("explain", str(delivery))
    assert "refused for good" in story
    assert "valid address" in story


def test_a_refused_key_pauses_the_channel_burns_no_try_and_resumes(fleet: Fleet) -> None:
    client = fleet.client()
    key = fleet.sandbox.settings().api_key
    fleet.sandbox.set_key("SG.another")
    _messages(fleet, client, 10)
    fleet.wait(lambda: fleet.sql("select 1 from fleet.channels where channel = 'EMAIL'"), "the pause")
    fleet.wait(lambda: fleet.status()["paused"], "the pause in fleet status")
    paused = fleet.status()["paused"][0]
    assert (paused["channel"], paused["kind"], paused["code"]) == ("EMAIL", "MISCONFIGURED", "http_401")
    assert fleet.one("select max(tries) from fleet.dispatch") == 0
    fleet.sandbox.set_key(key)
    fleet.wait(lambda: fleet.accepted(client.email) == 10, "all ten")
    fleet.wait_settled()
    assert fleet.sql("select 1 from fleet.channels") == []
    _each_sent_once(fleet, client, 10)


def test_a_worker_that_is_asked_to_stop_leaves_nothing_open(fleet: Fleet) -> None:
    client = fleet.client()
    fleet.sandbox.set_latency(0.5)
    _messages(fleet, client, 100)
    fleet.wait(lambda: fleet.accepted(client.email) >= 10, "a batch under way")
    worker = fleet.stack.children["worker"]
    worker.terminate(20)
    assert worker.returncode == 0
    assert fleet.one("select count(*) from fleet.attempts where closed_at is null") == 0
    fleet.revive()
    fleet.wait(lambda: fleet.accepted(client.email) >= 100, "the rest")
    fleet.wait_settled()
    _each_sent_once(fleet, client, 100)
