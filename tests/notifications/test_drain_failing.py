"""A provider that keeps failing pauses its channel, which opens by itself when one message passes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from db.queries import channels
from db.queries.channels import Pause
from services.notifications.settling import FAILING_AFTER, PROBE_BASE_SECONDS
from tests.notifications.pipeline import email, never

if TYPE_CHECKING:
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def test_a_provider_that_keeps_failing_pauses_its_channel_and_half_opens_by_itself(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    deliveries = [email(app, client) for _ in range(FAILING_AFTER + 4)]
    sandbox.fault("status", status=503, count=FAILING_AFTER + 1)
    drain = pipeline.drain(side_by_side=1)
    drain.run(never)
    pause = pipeline.pause()
    assert pause is not None
    assert (pause.kind, pause.code) == ("FAILING", "http_503")
    assert (pause.paused_until - clock.now).total_seconds() == PROBE_BASE_SECONDS
    assert len(pipeline.rows("select from fleet.attempts")) == FAILING_AFTER

    clock.forward(PROBE_BASE_SECONDS - 1)
    assert drain.run(never) == 0

    clock.forward(1)
    assert drain.run(never) == 1, "one message alone is risked"
    pause = pipeline.pause()
    assert pause is not None
    assert (pause.kind, pause.strikes) == ("FAILING", 2)
    assert (pause.paused_until - clock.now).total_seconds() == 2 * PROBE_BASE_SECONDS

    clock.forward(3600)
    drain.run(never)
    assert pipeline.pause() is None
    assert {pipeline.delivery(delivery).status for delivery in deliveries} == {"SENT"}


def test_failures_with_answers_in_between_pause_nothing(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    for _ in range(3):
        for _ in range(FAILING_AFTER - 1):
            email(app, client)
        sandbox.fault("status", status=503, count=FAILING_AFTER - 1)
        pipeline.drain(side_by_side=4).run(never)
        email(app, client)
        pipeline.send()
    assert pipeline.pause() is None


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "MISCONFIGURED", "FAILING"])
def test_a_persons_pause_is_ended_by_nothing_but_its_time_or_a_person(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, kind: str
) -> None:
    delivery_id = email(app, client)
    by_hand = Pause("EMAIL", "BY_HAND", "by_hand", "maintenance", clock.now, clock.now + timedelta(hours=1))
    other = Pause("EMAIL", kind, "http_503", "", clock.now, clock.now + timedelta(hours=9))
    with pipeline.sessions.begin() as session:
        channels.pause(session, by_hand, after_probe=False)
        channels.pause(session, other, after_probe=False)
        channels.pause(session, other, after_probe=True)
    clock.forward(3599)
    assert pipeline.send() == 0
    clock.forward(1)
    assert pipeline.send() == 1
    assert pipeline.pause() is None
    assert pipeline.delivery(delivery_id).status == "SENT"
