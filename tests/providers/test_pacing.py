"""A limit on a provider's calls that all workers share."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from providers.errors import RateLimited
from providers.pacing import AWAY_SECONDS, SharedPace

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.dev.embedded.redis import EmbeddedRedis


def limiter(url: str, prefix: str) -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(RedisStorage(url, wrap_exceptions=True, key_prefix=prefix))


@pytest.fixture
def worker(redis_server: EmbeddedRedis) -> Callable[..., SharedPace]:
    """Make another worker's pace, with a line of its own to the same count."""
    prefix = f"test-{uuid4()}"

    def make(rate: RateLimitItem, provider: str = "stripe", patience: float = 3.0) -> SharedPace:
        return SharedPace(provider, limiter(redis_server.url, prefix), rate, patience)

    return make


def test_workers_share_one_limit(worker: Callable[..., SharedPace]) -> None:
    paces = [worker(RateLimitItemPerMinute(4)) for _ in range(2)]
    for pace in (*paces, *paces):
        pace.wait()
    for pace in paces:
        with pytest.raises(RateLimited, match=r"own_limit.*stripe") as caught:
            pace.wait()
        assert 3 < caught.value.retry_after <= 60
    worker(RateLimitItemPerMinute(4), "another").wait()


def test_a_turn_is_waited_for(worker: Callable[..., SharedPace]) -> None:
    began = time.time()
    done: list[float] = []

    def calls() -> None:
        pace = worker(RateLimitItemPerSecond(5), patience=10.0)
        for _ in range(2):
            pace.wait()
            done.append(time.time())

    threads = [threading.Thread(target=calls) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6
    assert max(done) - began >= 1, "the sixth is not within a second of the first"


def test_patience_ends(worker: Callable[..., SharedPace]) -> None:
    pace = worker(RateLimitItemPerSecond(1), patience=0.0)
    pace.wait()
    with pytest.raises(RateLimited) as caught:
        pace.wait()
    assert 0 < caught.value.retry_after <= 1


def test_a_count_that_cannot_be_kept_lets_nobody_pass() -> None:
    pace = SharedPace("stripe", limiter("redis://127.0.0.1:9", "test"), RateLimitItemPerSecond(5))
    with pytest.raises(RateLimited, match="do not answer") as caught:
        pace.wait()
    assert caught.value.retry_after == AWAY_SECONDS
