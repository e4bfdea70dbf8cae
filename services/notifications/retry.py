"""What follows from the outcome of a try: one pure decision, with clock and jitter passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

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

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a channel deals with what passes.

    Attributes:
        retries: Tries after the first one, and also how often an unknown outcome is sent again.
        base_seconds: The first retry comes within this time, the next within its double, and so on.
        cap_seconds: No retry waits longer.
        unknown_wait_seconds: How long an unknown outcome waits for evidence.
        hold_unknown: Whether it then waits for a person instead of being sent again.
    """

    retries: int = 3
    base_seconds: float = 30.0
    cap_seconds: float = 3600.0
    unknown_wait_seconds: float = 900.0
    hold_unknown: bool = False

    def backoff(self, tries: int, jitter: Callable[[], float]) -> timedelta:
        """Exponential with full jitter: anywhere between now and the doubled bound.

        Args:
            tries: Tries made so far, at least 1.
            jitter: Gives a number in [0, 1).
        """
        bound = min(self.cap_seconds, self.base_seconds * 2.0 ** min(tries - 1, 32))
        return timedelta(seconds=bound * jitter())


@dataclass(frozen=True, slots=True)
class Retry:
    """Send it again at this time; the try counts."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Snooze:
    """Send it again at this time; no try is burnt, for the message is not at fault."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Await:
    """Nobody knows whether it was accepted: keep the attempt open for evidence until this time."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """No further try: the delivery has failed."""


Decision = Retry | Snooze | Await | Stop


def decide(
    error: ProviderError, tries: int, policy: RetryPolicy, now: datetime, jitter: Callable[[], float]
) -> Decision:
    """Decide what follows from an error.

    Args:
        error: What the provider's adapter made of the failure.
        tries: Tries that count, this one included.
        policy: The channel's.
        now: The time of the failure.
        jitter: Gives a number in [0, 1).
    """
    match error:
        case Transient():
            return Stop() if tries > policy.retries else Retry(now + policy.backoff(tries, jitter))
        case RateLimited():
            return Snooze(now + timedelta(seconds=error.retry_after))
        case Misconfigured():
            return Snooze(now)
        case Ambiguous():
            return Await(now + timedelta(seconds=policy.unknown_wait_seconds))
        case Rejected() | Suppressed() | Undeliverable():
            return Stop()
        case ProviderError():
            raise TypeError(f"{type(error).__name__} is none of the kinds of error that have an answer")
        case _:
            assert_never(error)
