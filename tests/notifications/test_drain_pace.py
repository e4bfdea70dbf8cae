"""Limits of our own, shared by all workers: waiting for them costs no try."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from services.notifications.pace import Pace
from tests.notifications.pipeline import email, never

if TYPE_CHECKING:
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.embedded.redis import EmbeddedRedis
    from workers.dev.sandbox.client import SandboxClient


@pytest.fixture
def limiter(redis_server: EmbeddedRedis) -> MovingWindowRateLimiter:
    storage = RedisStorage(redis_server.url, wrap_exceptions=True, key_prefix=f"test-{uuid4()}")
    return MovingWindowRateLimiter(storage)


def pace(limiter: MovingWindowRateLimiter, per_minute: int = 1000, per_person: int = 1000) -> Pace:
    rate, person = RateLimitItemPerMinute(per_minute), RateLimitItemPerHour(per_person)
    return Pace("EMAIL", limiter, rate, person, time.time)


def test_two_workers_share_one_limit_and_burn_no_try(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,
    sandbox: SandboxClient,
    limiter: MovingWindowRateLimiter,
) -> None:
    for _ in range(12):
        email(app, client)
    workers = [pipeline.drain(pace=pace(limiter, per_minute=5)) for _ in range(2)]
    for worker in workers:
        worker.run(never)
    assert len(sandbox.messages()) == 5
    assert {row.tries for row in pipeline.rows("select tries from fleet.dispatch")} == {0}
    pause = pipeline.pause()
    assert pause is not None
    assert (pause.kind, pause.code) == ("RATE_LIMITED", "own_limit")
    assert 0 < (pause.paused_until - clock.now).total_seconds() <= 61


def test_what_another_worker_takes_in_between_is_waited_for(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, limiter: MovingWindowRateLimiter
) -> None:
    delivery_id = email(app, client)
    # Taken between this worker's look at the window and its send.
    taken = pace(limiter, per_minute=1)
    quick = Pace("EMAIL", _Quick(limiter, taken), taken.rate, taken.per_person, time.time)
    pipeline.drain(pace=quick).run(never)
    assert [(a.outcome, a.code) for a in pipeline.attempts(delivery_id)] == [("NOT_SENT", "rate_limit")]
    queued = pipeline.queued(delivery_id)
    assert queued is not None
    assert (queued.tries, queued.due_at > clock.now) == (0, True)


class _Quick(MovingWindowRateLimiter):
    """Behind whose back somebody takes the window's last place after it was looked at."""

    def __init__(self, limiter: MovingWindowRateLimiter, other: Pace) -> None:
        super().__init__(limiter.storage)
        self._other = other

    def hit(self, item: object, *identifiers: str, cost: int = 1) -> bool:
        self._other.take([str(uuid4())])
        return super().hit(item, *identifiers, cost=cost)  # type: ignore[arg-type]


def test_one_person_gets_no_more_than_is_bearable_and_others_do_not_wait(
    app: Application,
    client: Client,
    pipeline: Pipeline,
    clock: Clock,
    sandbox: SandboxClient,
    limiter: MovingWindowRateLimiter,
) -> None:
    for _ in range(5):
        email(app, client)
    other = app.register("dominique@example.com", "Dominique Exemple")
    email(app, other)
    pipeline.drain(pace=pace(limiter, per_person=3)).run(never)
    assert sorted(message.recipient for message in sandbox.messages()) == [client.email] * 3 + [other.email]
    codes = pipeline.rows("select code, outcome from fleet.attempts where code is not null")
    assert [(row.code, row.outcome) for row in codes] == [("recipient_limit", "NOT_SENT")] * 2
    waiting = pipeline.rows("select due_at, tries from fleet.dispatch")
    assert all(row.tries == 0 and 0 < (row.due_at - clock.now).total_seconds() <= 3600 for row in waiting)
    assert pipeline.pause() is None


def test_while_the_limits_are_away_nothing_is_sent_and_nothing_lost(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    nobody = RedisStorage("redis://127.0.0.1:1/0", wrap_exceptions=True)
    drain = pipeline.drain(pace=pace(MovingWindowRateLimiter(nobody)))
    drain.run(never)
    assert sandbox.messages() == []
    queued = pipeline.queued(delivery_id)
    assert queued is not None
    assert queued.tries == 0
    clock.forward(2)
    drain.pace = None
    drain.run(never)
    assert pipeline.delivery(delivery_id).status == "SENT"
