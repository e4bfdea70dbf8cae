"""A channel pauses for what is no message's fault: too much at once, or a key that is refused."""

from __future__ import annotations

from threading import Barrier
from typing import TYPE_CHECKING

from tests.notifications.pipeline import API_KEY, LEASE, Stalled, email, never, side_by_side
from tests.waiting import wait_for

if TYPE_CHECKING:
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def pause_seconds(pipeline: Pipeline, clock: Clock) -> float:
    pause = pipeline.pause()
    assert pause is not None
    return (pause.paused_until - clock.now).total_seconds()


def tries(pipeline: Pipeline) -> list[int]:
    return [row.tries for row in pipeline.rows("select tries from fleet.dispatch order by tries")]


def refusals(sandbox: SandboxClient) -> int:
    return sandbox.stats().refused.get("401", 0)


def test_too_many_requests_pause_the_channel_until_the_provider_says(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    first, second = email(app, client), email(app, client)
    sandbox.fault("status", status=429, retry_after=40)
    drain = pipeline.drain(side_by_side=1)
    drain.run(never)
    pause = pipeline.pause()
    assert pause is not None
    assert (pause.kind, pause.code) == ("RATE_LIMITED", "http_429")
    assert pause_seconds(pipeline, clock) == 40
    assert tries(pipeline) == [0, 0]
    assert [attempt.outcome for attempt in pipeline.attempts(first)] == ["DEFERRED"]
    assert list(pipeline.attempts(second)) == []

    clock.forward(39)
    assert drain.run(never) == 0
    assert sandbox.messages() == []

    clock.forward(1)
    assert drain.run(never) == 2
    assert pipeline.statuses() == {"SENT": 2}
    assert len(sandbox.messages()) == 2
    assert pipeline.pause() is None


def test_too_many_requests_burn_no_try_however_often(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    sandbox.fault("status", status=429, retry_after=2, count=6)
    for _ in range(6):
        pipeline.send()
        assert tries(pipeline) == [0]
        clock.forward(2)
    pipeline.send()
    assert pipeline.delivery(delivery_id).status == "SENT"
    assert len(pipeline.attempts(delivery_id)) == 7


def test_a_refused_key_pauses_the_channel_and_burns_no_try(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    for _ in range(3):
        email(app, client)
    sandbox.set_key("SG.another")
    assert pipeline.drain(side_by_side=3).run(never) == 3
    pause = pipeline.pause()
    assert pause is not None
    assert (pause.kind, pause.code) == ("MISCONFIGURED", "http_401")
    assert pause_seconds(pipeline, clock) > 0
    assert tries(pipeline) == [0, 0, 0]
    assert pipeline.send() == 0, "the channel is closed"


def test_after_the_pause_one_message_alone_is_risked(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    for _ in range(6):
        email(app, client)
    sandbox.set_key("SG.another")
    pipeline.drain(side_by_side=1).run(never)
    before = refusals(sandbox)
    clock.forward(pause_seconds(pipeline, clock))
    start = Barrier(2)

    def work() -> None:
        start.wait(10)
        pipeline.drain().run(never)

    with side_by_side(work, work):
        pass
    assert refusals(sandbox) - before == 1
    assert tries(pipeline) == [0] * 6


def test_while_one_worker_probes_another_waits(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    for _ in range(3):
        email(app, client)
    sandbox.set_key("SG.another")
    pipeline.drain(side_by_side=1).run(never)
    clock.forward(pause_seconds(pipeline, clock))
    sandbox.set_key(API_KEY)
    probe = Stalled(pipeline.carrier)
    prober = pipeline.drain(probe)
    with side_by_side(lambda: prober.run(never)):
        assert probe.answered.wait(10)
        assert pipeline.send() == 0
        assert len(sandbox.messages()) == 1
        probe.thawed.set()
    assert pipeline.statuses() == {"SENT": 3}
    assert pipeline.pause() is None


def test_each_refusal_makes_the_pause_longer(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    sandbox.set_key("SG.another")
    pauses: list[float] = []
    for strikes in range(1, 6):
        assert pipeline.send() == 1
        pause = pipeline.pause()
        assert pause is not None
        assert pause.strikes == strikes
        pauses.append(pause_seconds(pipeline, clock))
        clock.forward(pauses[-1])
    assert pauses == [5, 10, 20, 40, 80]
    assert tries(pipeline) == [0]
    assert len(pipeline.attempts(delivery_id)) == 5


def test_the_channel_resumes_when_the_key_works(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    for _ in range(5):
        email(app, client)
    sandbox.set_key("SG.another")
    pipeline.send()
    sandbox.set_key(API_KEY)
    assert pipeline.send() == 0, "still paused"
    clock.forward(pause_seconds(pipeline, clock))
    assert pipeline.send() == 5
    assert pipeline.pause() is None
    assert len(sandbox.messages()) == 5


def test_a_wake_up_while_a_probe_is_under_way_does_not_spoil_it(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    email(app, client)
    sandbox.set_key("SG.another")
    pipeline.send()
    clock.forward(pause_seconds(pipeline, clock))
    sandbox.set_key(API_KEY)
    probe = Stalled(pipeline.carrier)
    drain = pipeline.drain(probe)
    with side_by_side(lambda: drain.run(never)):
        assert probe.answered.wait(10)
        email(app, client)
        assert drain.run(never) == 0
        wait_for(drain._arrivals.empty)
        probe.thawed.set()
    assert pipeline.pause() is None
    assert pipeline.statuses() == {"SENT": 2}


def test_a_probe_that_never_came_back_is_followed_by_another(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    email(app, client)
    email(app, client)
    sandbox.set_key("SG.another")
    pipeline.drain(side_by_side=1).run(never)
    clock.forward(pause_seconds(pipeline, clock))
    sandbox.set_key(API_KEY)
    pipeline.drain()._lease(1)  # the prober, and then it was killed
    assert pipeline.send() == 0
    for _ in range(2):
        clock.forward(LEASE)
        pipeline.send()
    assert len(sandbox.messages()) == 1
    assert pipeline.pause() is None


def test_a_probe_is_not_spent_on_what_needs_no_sending(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    taken_back, healthy = email(app, client), email(app, client)
    sandbox.set_key("SG.another")
    pipeline.drain(side_by_side=1).run(never)
    pipeline.change("delete from notification_deliveries where id = :id", id=taken_back)
    clock.forward(pause_seconds(pipeline, clock))
    sandbox.set_key(API_KEY)
    pipeline.send()
    assert pipeline.delivery(healthy).status == "SENT"
    assert pipeline.pause() is None
