from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import (
    Ambiguous,
    Misconfigured,
    ProviderError,
    RateLimited,
    Rejected,
    Suppressed,
    Transient,
    Undeliverable,
)
from services.notifications.retry import Await, Decision, Retry, RetryPolicy, Snooze, Stop, decide

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = RetryPolicy(retries=3, base_seconds=30.0, cap_seconds=100.0, unknown_wait_seconds=900.0)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("error", "tries", "decision"),
    [
        (Transient("http_503", ""), 1, Retry(after(15))),
        (Transient("http_503", ""), 2, Retry(after(30))),
        (Transient("http_503", ""), 3, Retry(after(50))),  # capped
        (Transient("http_503", ""), 4, Stop()),
        (Transient("http_503", ""), 99, Stop()),
        (RateLimited("http_429", "", 2.5), 1, Snooze(after(2.5))),
        (RateLimited("http_429", "", 2.5), 99, Snooze(after(2.5))),
        (Misconfigured("http_401", ""), 99, Snooze(NOW)),
        (Ambiguous("read_timeout", ""), 1, Await(after(900))),
        (Rejected("http_400", ""), 1, Stop()),
        (Suppressed("21610", ""), 1, Stop()),
        (Undeliverable("63024", ""), 1, Stop()),
    ],
)
def test_what_follows_from_an_error(error: ProviderError, tries: int, decision: Decision) -> None:
    assert decide(error, tries, POLICY, NOW, lambda: 0.5) == decision


def test_no_retries_means_one_try() -> None:
    assert decide(Transient("http_503", ""), 1, RetryPolicy(retries=0), NOW, lambda: 0.5) == Stop()


def test_a_kind_that_has_no_answer_is_refused() -> None:
    class NovelError(ProviderError):
        pass

    with pytest.raises(TypeError, match="NovelError"):
        decide(NovelError("x", ""), 1, POLICY, NOW, lambda: 0.5)


@given(
    base=st.floats(0.001, 1e4),
    cap=st.floats(0.001, 1e6),
    tries=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_a_pause_is_anywhere_below_the_doubled_bound_and_the_cap(
    base: float, cap: float, tries: int, jitter: float
) -> None:
    pause = RetryPolicy(base_seconds=base, cap_seconds=cap).backoff(tries, lambda: jitter).total_seconds()
    doubled = base * 2.0 ** (tries - 1) if tries < 100 else cap
    bound = min(cap, doubled)
    assert 0 <= pause <= bound + 1e-6
    assert pause == pytest.approx(bound * jitter, abs=1e-6)


@given(tries=st.integers(1, 40), jitter=st.floats(0, 1, exclude_max=True))
def test_another_try_never_shortens_the_bound(tries: int, jitter: float) -> None:
    assert POLICY.backoff(tries, lambda: jitter) <= POLICY.backoff(tries + 1, lambda: jitter)
