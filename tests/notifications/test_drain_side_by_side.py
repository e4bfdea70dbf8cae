"""Many at once: a slow one delays nobody, and no two workers send the same."""

from __future__ import annotations

import time
from threading import Barrier, Event
from typing import TYPE_CHECKING

from tests.notifications.pipeline import LEASE, email, never, side_by_side
from tests.waiting import wait_for

if TYPE_CHECKING:
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient

SLOW = "lente@example.com"


def many(app: Application, client: Client, count: int) -> set[UUID]:
    return {email(app, client, f"camille+{number}@example.com") for number in range(count)}


def test_a_slow_message_delays_nobody(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    slow = email(app, client, SLOW)
    many(app, client, 50)
    sandbox.fault("slow", seconds=2.0, when="before", to=SLOW)
    drain = pipeline.drain(side_by_side=8)
    with side_by_side(lambda: drain.run(never)):
        wait_for(lambda: pipeline.statuses().get("SENT") == 50)
        assert pipeline.delivery(slow).status == "PENDING"
        assert sandbox.messages(to=SLOW) == []
    assert pipeline.statuses() == {"SENT": 51}


def test_sends_go_out_side_by_side_over_few_kept_connections(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    many(app, client, 64)
    before = sandbox.stats().connections
    sandbox.set_latency(0.2)
    started = time.monotonic()
    assert pipeline.drain(side_by_side=32).run(never) == 64
    seconds = time.monotonic() - started
    sandbox.set_latency(0.0)
    assert seconds < 64 * 0.2 / 4
    assert sandbox.stats().connections - before <= 32


def test_two_workers_share_two_hundred_deliveries(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    deliveries = many(app, client, 200)
    start = Barrier(2)
    shares: list[int] = []

    def work() -> None:
        start.wait(10)
        shares.append(pipeline.drain(side_by_side=16).run(never))

    with side_by_side(work, work):
        pass
    assert sum(shares) == 200
    assert pipeline.statuses() == {"SENT": 200}
    messages = sandbox.messages()
    assert len(messages) == len({message.recipient for message in messages}) == 200
    assert pipeline.rows("select count(*), count(distinct delivery_id) from fleet.attempts") == [
        (200, len(deliveries))
    ]
    assert {message.id for message in messages} == {
        row.provider_message_id
        for row in pipeline.rows("select provider_message_id from notification_deliveries")
    }


def test_a_second_call_wakes_the_running_one(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    slow = email(app, client, SLOW)
    sandbox.fault("slow", seconds=1.5, when="before", to=SLOW)
    drain = pipeline.drain()
    with side_by_side(lambda: drain.run(never)):
        wait_for(lambda: not sandbox.faults())
        meanwhile = email(app, client)
        assert drain.run(never) == 0
        wait_for(lambda: pipeline.delivery(meanwhile).status == "SENT")
        assert pipeline.delivery(slow).status == "PENDING"
    assert pipeline.statuses() == {"SENT": 2}


def test_what_arrives_while_it_runs_is_never_left_behind(
    app: Application, client: Client, pipeline: Pipeline
) -> None:
    """Each insert is followed by a call, as the relay does: whoever runs last has seen them all."""
    drain = pipeline.drain(side_by_side=4)
    ended = Event()

    def keep_waking() -> None:
        for _ in range(40):
            email(app, client)
            drain.run(never)
        ended.set()

    def also_waking() -> None:
        while not ended.is_set():
            drain.run(never)

    with side_by_side(keep_waking, also_waking):
        pass
    assert pipeline.statuses() == {"SENT": 40}


def test_a_drain_that_is_told_to_stop_settles_what_is_under_way_and_claims_no_more(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    many(app, client, 20)
    stopping = Event()
    sandbox.set_latency(0.3)
    drain = pipeline.drain(side_by_side=4)
    with side_by_side(lambda: drain.run(stopping.is_set)):
        wait_for(sandbox.messages)
        stopping.set()
    sandbox.set_latency(0.0)
    sent = pipeline.statuses()["SENT"]
    assert len(sandbox.messages()) == sent < 20
    assert pipeline.rows("select from fleet.attempts where closed_at is null") == []
    assert pipeline.rows("select from fleet.dispatch where lease_until is not null") == []
    clock.forward(LEASE)
    pipeline.send()
    assert pipeline.statuses() == {"SENT": 20}
