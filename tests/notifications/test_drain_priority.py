"""What is urgent goes first, and what waits for a person goes when the person says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.notifications.pipeline import POLICY, UNKNOWN_WAIT, email, never

if TYPE_CHECKING:
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def test_the_most_urgent_goes_first_and_then_what_has_been_due_the_longest(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    order = {title: email(app, client, title=title) for title in ("c", "d", "a", "b", "e")}
    for title, priority in (("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 3)):
        pipeline.change(
            "update fleet.dispatch set priority = :priority where delivery_id = :id",
            priority=priority,
            id=order[title],
        )
    pipeline.drain(side_by_side=1).run(never)
    sent = [message.subject for message in sandbox.messages()]
    assert sent == list("abcde")


def test_urgent_rows_that_are_not_due_hold_nobody_up(
    app: Application, client: Client, pipeline: Pipeline
) -> None:
    urgent, ordinary = email(app, client), email(app, client)
    pipeline.change(
        "update fleet.dispatch set priority = 1, due_at = now() + interval '1 hour' where delivery_id = :id",
        id=urgent,
    )
    assert pipeline.send() == 1
    assert pipeline.delivery(ordinary).status == "SENT"


def test_a_held_channel_does_not_repeat_an_unknown_outcome_by_itself(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    sandbox.fault("drop_after")
    drain = pipeline.drain()
    drain.policy = replace(POLICY, hold_unknown=True)
    drain.run(never)
    clock.forward(UNKNOWN_WAIT)
    drain.run(never)
    queued = pipeline.queued(delivery_id)
    assert queued is not None
    assert (queued.last_code, queued.parked_at) == ("unknown_outcome", clock.now)
    (attempt,) = pipeline.attempts(delivery_id)
    assert attempt.closed_at is None
    assert len(sandbox.messages()) == 1

    pipeline.write_back(attempt.token, sandbox.messages()[0].id)
    pipeline.evidence().run(never)
    assert pipeline.delivery(delivery_id).status == "SENT"
    assert pipeline.queued(delivery_id) is None
