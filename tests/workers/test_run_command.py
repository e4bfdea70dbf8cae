"""``fleet tasks`` and ``fleet run``: every task there is, by hand."""

from __future__ import annotations

import inspect
import json
import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import redis

from schedules.timetable import timetable
from tasks import byhand, schedule
from tests.notifications.pipeline import email, execute
from tests.workers.test_by_hand import fleet, rows
from tests.workers.test_settings import COMPLETE
from workers.bootstrap import make_fleet
from workers.runnable import known
from workers.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client
    from workers.dev.embedded.redis import EmbeddedRedis

ENTRIES = {entry.name for entry in timetable()}


@pytest.fixture(autouse=True)
def _on_this_database(
    database_url: str, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("FLEET_")]:
        monkeypatch.delenv(name)
    given = COMPLETE | {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def told(*words: str) -> Any:
    return json.loads(fleet(*words, "--json").stdout)


def test_every_task_of_the_workers_is_listed_with_what_it_takes() -> None:
    tasks = make_fleet(Settings.load()).celery.tasks
    real = {name: task for name, task in tasks.items() if not name.startswith("celery.")}
    listed = {name: each for name, each in known().items() if name not in ENTRIES}
    assert set(listed) == set(real)
    for name, task in real.items():
        taken = [each.name for each in listed[name].parameters]
        # The claim is the tick's: by hand, a run claims the entry itself.
        assert taken == [each for each in inspect.signature(task.run).parameters if each != "claim"]
    assert {each["name"] for each in told("tasks")} == set(known())
    said = " ".join(fleet("tasks").stdout.split())
    for each in known().values():
        assert f"{each.name}: {each.words}" in said
        for parameter in each.parameters:
            assert f"{parameter.name}: {parameter.meaning}; {parameter.kind}" in said


def test_every_example_of_the_list_can_be_read() -> None:
    for task in known().values():
        assert set(task.read(task.example.split()[3:])) == {each.name for each in task.parameters}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sendreminders",), "Did you mean send-reminders"),
        (("tea",), "fleet tasks lists them all"),
        (("payments.settle_order",), "order_id is missing"),
        (("payments.settle_order", "order_id=7"), "order_id is an id such as"),
        (("payments.settle_order", "order=7"), "'order=7' is too much: payments.settle_order takes order_id"),
        (("deliveries.send_one", "pigeon"), "channel is one of EMAIL"),
        (("schedule.run", "tea"), "name is one of wake-queues"),
        (("forget-links", "7"), "forget-links takes nothing"),
        (
            ("deliveries.send_one", "EMAIL", str(uuid4()), "--dry-run"),
            "can't be rehearsed. Use fleet deliver",
        ),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_what_is_wrong_is_named_with_its_mend(words: tuple[str, ...], said: str) -> None:
    answer = fleet("run", *words)
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.output


def test_a_drain_is_rehearsed_and_run_and_recorded(
    app: Application, client: Client, application: sessionmaker[Session]
) -> None:
    app.event("PAYMENT_FAILED", "order", client.order_id)
    assert told("run", "events.fan_out_due", "--dry-run")["would"] == "fanout: 1 due"
    assert rows(application, "select from fleet.interventions") == []
    assert told("run", "events.fan_out_due", "--why", "no worker", "--who", "dominique")["result"]
    assert rows(application, "select from fleet.outbox") == []
    (done,) = rows(application, "select who, why, action, details from fleet.interventions")
    assert tuple(done) == ("dominique", "no worker", "run", {"task": "events.fan_out_due"})


def test_an_entry_is_run_by_both_of_its_names(application: sessionmaker[Session]) -> None:
    assert told("run", "schedule.run", "forget-links")["result"] == "0 links forgotten"
    assert told("run", "forget-links")["result"] == "0 links forgotten"
    assert told("run", "schedule.tick", "--dry-run")["would"] == schedule.CALLED_NOTHING
    done = rows(application, "select details from fleet.interventions")
    assert [row.details for row in done] == [{"entry": "forget-links"}] * 2


def test_a_delivery_is_not_sent_on_a_channel_that_is_not_its_own(app: Application, client: Client) -> None:
    result = told("run", byhand.SEND_ONE, "PUSH", str(email(app, client)))["result"]
    assert result == "not queued on PUSH, or in another's hands"


def test_what_there_is_not_is_said(client: Client) -> None:
    for words, said in (
        ((byhand.SETTLE_ORDER, str(uuid4())), "There is no order"),
        (
            (byhand.SETTLE_ORDER, str(client.order_id), "--dry-run"),
            "neither a Checkout Session nor a payment",
        ),
    ):
        answer = fleet("run", *words)
        assert (answer.exit_code, answer.stderr.count(said)) == (1, 1), answer.output


def test_a_task_is_handed_to_the_workers(
    owner_url: str, redis_server: EmbeddedRedis, application: sessionmaker[Session]
) -> None:
    broker = redis.Redis.from_url(redis_server.url)
    broker.flushall()
    order = str(uuid4())
    handed = told("run", byhand.SETTLE_ORDER, order, "--enqueue")
    (message,) = [json.loads(each) for each in broker.lrange("maintenance", 0, -1)]
    assert (message["headers"]["id"], message["headers"]["task"]) == (handed["task_id"], byhand.SETTLE_ORDER)
    assert fleet("run", "forget-links", "--enqueue").exit_code == 0
    assert broker.llen("maintenance") == 2
    again = fleet("run", "forget-links", "--enqueue")
    assert (again.exit_code, "called or under way already" in again.stderr) == (1, True)
    told_of = rows(application, "select subject::text, details from fleet.interventions order by at")
    assert [tuple(row) for row in told_of] == [
        (order, {"task": byhand.SETTLE_ORDER}),
        (None, {"entry": "forget-links"}),
    ]
    execute(owner_url, "delete from fleet.schedule")
    broker.flushall()
