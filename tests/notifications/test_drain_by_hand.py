"""One delivery, now, at an operator's word."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tests.notifications.pipeline import JITTER, POLICY, email

if TYPE_CHECKING:
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def test_one_delivery_is_sent_by_hand_whether_due_or_not(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    other, delivery_id = email(app, client), email(app, client)
    pipeline.change("update fleet.dispatch set due_at = :then", then=clock.now.replace(year=2099))
    drain = pipeline.drain()
    settlement = drain.one(delivery_id)
    assert settlement is not None
    assert (settlement.state, settlement.message_id) == ("SENT", sandbox.messages()[0].id)
    assert drain.one(delivery_id) is None, "it is not queued any more"
    assert drain.one(uuid4()) is None
    assert pipeline.delivery(other).status == "PENDING"


def test_one_delivery_by_hand_fails_as_any_other(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    sandbox.fault("status", status=502)
    settlement = pipeline.drain().one(delivery_id)
    assert settlement is not None
    assert (settlement.state, settlement.code, settlement.tries) == ("WAITING", "http_502", 1)
    assert settlement.due_at == clock.now + POLICY.backoff(1, lambda: JITTER)


def test_one_delivery_by_hand_is_left_to_whoever_holds_it(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    pipeline.change("update fleet.dispatch set lease_until = :then", then=clock.now.replace(year=2099))
    assert pipeline.drain().one(delivery_id) is None
    assert sandbox.messages() == []
