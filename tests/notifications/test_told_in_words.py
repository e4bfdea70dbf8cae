"""What a drain says of its work, which is what Flower and the log show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.notifications import counting, sending
from tests.notifications.pipeline import email, never

if TYPE_CHECKING:
    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def test_a_drain_tells_what_became_of_what_it_claimed(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    work = sending(pipeline.drain(side_by_side=4))
    for _ in range(9):
        email(app, client)
    sandbox.fault("status", status=503, count=2)
    sandbox.fault("status", status=400)
    sandbox.fault("drop_after")
    assert work(never) == "9 claimed, 5 sent, 2 retries, 1 unknown, 1 failed"
    assert work(never) == "nothing due"
    email(app, client)
    sandbox.fault("status", status=503)
    assert work(never) == "1 claimed, 1 retry"


def test_other_work_is_counted(app: Application, client: Client, pipeline: Pipeline) -> None:
    work = counting(pipeline.fan_out().run, "fanned out")
    app.event("ERROR", "order", client.order_id)
    assert work(never) == "1 fanned out"
    assert work(never) == "nothing due"
