"""Which message of a provider's list is which attempt's, where the list does not tell.

A list names neither token nor delivery. A wrong match marks a message as sent that never was, and it is lost;
a match that is missed only waits for a callback, and at worst is sent twice. So in doubt nothing is matched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from datetime import datetime

    from db.queries.lookups import Unclaimed
    from providers.base import MessageState

SKEW: Final = timedelta(seconds=60)
"""Between our clock and a provider's, which counts in whole seconds besides."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a list proves.

    Attributes:
        pairs: Attempts and their messages.
        certain: Whether each message is surely that delivery's: otherwise, all of the attempts were accepted,
            but two of them may have changed places.
        doubt: Why nothing is matched though something was found; in words, without addresses.
    """

    pairs: tuple[tuple[Unclaimed, MessageState], ...] = ()
    certain: bool = True
    doubt: str | None = None


def window(opened_at: datetime, lease: timedelta) -> tuple[datetime, datetime]:
    """When the message of an attempt was created, if it was: its send ends with the lease at the latest."""
    return opened_at - SKEW, opened_at + lease + SKEW


def match(
    attempts: Sequence[Unclaimed], listed: Sequence[MessageState], known: Container[str], lease: timedelta
) -> Match:
    """Find the messages of attempts to one recipient on one channel.

    Args:
        attempts: All of unknown outcome that were opened at about the same time.
        listed: The provider's messages to the recipient on that channel.
        known: Ids of those that are known to be another attempt's.
        lease: How long a send takes at most.

    Returns:
        A proof where every attempt has a message and no message is left over, or where all attempts are of
        one delivery, of which one message is enough.
    """
    by_age = sorted(attempts, key=lambda attempt: (attempt.opened_at, attempt.token))
    windows = [window(attempt.opened_at, lease) for attempt in by_age]
    dated = [(state.created_at, state) for state in listed if state.created_at is not None]
    found = [
        state
        for at, state in sorted(dated, key=lambda pair: (pair[0], pair[1].message_id))
        if state.message_id not in known and any(since <= at <= until for since, until in windows)
    ]
    if not found:
        return Match()
    one_delivery = len({attempt.delivery_id for attempt in by_age}) == 1
    if len(found) > len(by_age) or (len(found) < len(by_age) and not one_delivery):
        return Match(
            doubt=f"{len(found)} messages may be those of {len(by_age)} attempts: nobody can tell which"
        )
    # Of one delivery's attempts with fewer messages, whichever fit will do.
    for some in (by_age[-len(found) :], by_age[: len(found)]):
        if all(_fits(attempt, state, lease) for attempt, state in zip(some, found, strict=True)):
            return Match(tuple(zip(some, found, strict=True)), certain=one_delivery)
    return Match(doubt="the times of the messages do not fit those of the attempts")


def _fits(attempt: Unclaimed, state: MessageState, lease: timedelta) -> bool:
    since, until = window(attempt.opened_at, lease)
    return state.created_at is not None and since <= state.created_at <= until
