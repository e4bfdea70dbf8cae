"""Flower's parts without its process: who is let in, and what is kept of what workers tell."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery
from pydantic import HttpUrl, SecretStr
from sqlalchemy.exc import OperationalError
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from tests.workers.operators import settings
from workers.flower import prefix
from workers.flower_door import ASK, Guard, Refusal, sign_in
from workers.flower_events import OFFLINE_SECONDS, OFTEN_SECONDS, WORKERS, FleetEvents
from workers.ops.sign_in import Patience, Seal

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT = "Basic b3BlcmF0b3I6Y29ycmVjdCBob3JzZQ=="  # operator:correct horse
WRONG = "Basic b3BlcmF0b3I6d3Jvbmc="  # operator:wrong
NOW = time.time()


class Now:
    """The loop in whose thread the state is touched: this one."""

    def add_callback(self, callback: Callable[..., object], *given: object) -> None:
        callback(*given)


def asked(**headers: str) -> HTTPServerRequest:
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    given = HTTPHeaders({"Host": "flower.example.com"} | headers)
    return HTTPServerRequest(start_line=line, headers=given, connection=HTTPConnection())


def guard(key: Callable[[], bytes] = lambda: b"key") -> tuple[Guard, list[float]]:
    seconds = [0.0]
    seal = Seal("operator", "correct horse", key, lambda: datetime(2026, 11, 22, tzinfo=UTC))
    return Guard(seal, secure=True, patience=Patience(lambda: seconds[0])), seconds


def test_wrong_passwords_cost_a_wait_and_the_right_one_ends_it() -> None:
    door, seconds = guard()
    for _ in range(4):
        assert door.refusal(asked(Authorization=WRONG)) is ASK
    assert door.refusal(asked(Authorization=RIGHT)) == Refusal(429, {"Retry-After": "3"})
    seconds[0] += 3
    assert door.refusal(asked(Authorization=RIGHT)) is None
    assert door.refusal(asked(Authorization=WRONG)) is ASK
    assert door.refusal(asked(Authorization=RIGHT)) is None


@pytest.mark.parametrize("header", ["", "Basic", "Basic =", "Basic b3BlcmF0b3I=", "Bearer x", "Basic \xe4"])
def test_what_is_no_sign_in_is_asked_for_one_and_costs_nothing(header: str) -> None:
    door, _ = guard()
    for _ in range(10):
        assert door.refusal(asked(Authorization=header)) is ASK
    assert door.refusal(asked(Authorization=RIGHT)) is None


def test_a_session_is_no_use_while_nobody_can_read_it() -> None:
    def away() -> bytes:
        raise OperationalError("select", {}, Exception("away"))

    door, _ = guard()
    cookie = f'__Host-fleet-ops="{door.seal.session("Dominique Exemple")}"'
    assert door.refusal(asked(Cookie=cookie)) is None
    blind, _ = guard(away)
    assert blind.refusal(asked(Cookie=cookie)) is ASK
    assert blind.refusal(asked(Cookie=cookie, Authorization=RIGHT)) is None


def test_flowers_own_password_wins_and_the_operators_do_without() -> None:
    assert sign_in(settings(ops_user="dominique")) == ("dominique", "correct horse")
    own = settings(flower_user="watcher", flower_password=SecretStr("battery"))
    assert sign_in(own) == ("watcher", "battery")
    assert sign_in(settings(ops_password=None)) is None


@pytest.mark.parametrize(
    ("url", "before"),
    [
        (None, ""),
        ("https://flower.example.com", ""),
        ("https://fleet.example.com/watch/flower/", "/watch/flower"),
    ],
)
def test_paths_begin_as_where_it_is_reached(url: str | None, before: str) -> None:
    assert prefix(HttpUrl(url) if url else None) == before


@pytest.fixture
def events() -> FleetEvents:
    return FleetEvents(Celery("fleet", set_as_current=False), Now(), tasks=50)


def ran(events: FleetEvents, uuid: str, name: str, args: str = "()", **told: Any) -> None:
    """A task's three events."""
    at = told.get("at", NOW)
    about = {"uuid": uuid, "hostname": told.get("worker", "w1@vm"), "timestamp": at, "local_received": at}
    named = {"name": name, "args": args, "kwargs": "{}", "pid": 1, "clock": 1, "utcoffset": 0}
    end = told.get("end", {"type": "task-succeeded", "result": "'done'", "runtime": 0.1})
    for event in (
        {"type": "task-received", **named},
        {"type": "task-started", "clock": 2},
        {"clock": 3, **end},
    ):
        events.on_event(about | event)


def beat(events: FleetEvents, worker: str, at: float) -> None:
    told = {"type": "worker-heartbeat", "hostname": worker, "timestamp": at, "local_received": at, "clock": 1}
    events.on_event(told | {"active": 0, "freq": 2.0})


def test_the_latest_tasks_are_kept(events: FleetEvents) -> None:
    for number in range(1000):
        ran(events, f"task-{number}", "email.send_due")
    state = events.state
    assert sorted(state.tasks) == sorted(f"task-{number}" for number in range(950, 1000))
    assert len(state.search_engine.search(state.tasks, "name:email").task_ids) == 50
    assert state.counter["w1@vm"]["task-succeeded"] == 1000


def test_of_what_runs_every_few_seconds_the_last_good_run_is_kept(events: FleetEvents) -> None:
    ran(events, "drain", "email.send_due", at=NOW)
    for number in range(100):
        ran(events, f"wake-{number}", "schedule.run", "wake-queues", at=NOW + 5 * number)
    failed = {"type": "task-failed", "exception": "RunError()", "traceback": ""}
    ran(events, "failed", "schedule.run", "wake-queues", at=NOW + 500, end=failed)
    ran(events, "wake-100", "schedule.run", "wake-queues", at=NOW + 505)
    for number in range(3):
        ran(events, f"reconcile-{number}", "schedule.run", "reconcile", at=NOW + OFTEN_SECONDS * number)
    kept = ["drain", "failed", "reconcile-0", "reconcile-1", "reconcile-2", "wake-100"]
    assert sorted(events.state.tasks) == kept
    assert sorted(events.state.search_engine.search(events.state.tasks, "").task_ids) == kept


def test_workers_that_are_gone_for_long_are_forgotten(events: FleetEvents) -> None:
    for number in range(3 * WORKERS):
        beat(events, f"w{number}@vm", NOW)
        ran(events, f"task-{number}", "email.send_due", worker=f"w{number}@vm")
    beat(events, "w299@vm", NOW + OFFLINE_SECONDS)
    known = events.forget(NOW + OFFLINE_SECONDS + 1)
    state = events.state
    assert known == set(state.workers) == set(state.counter) == set(state.tasks_by_worker) == {"w299@vm"}
    labels = {sample.labels["worker"] for each in state.metrics.events.collect() for sample in each.samples}
    assert labels == {"w299@vm"}
