"""What people do by hand, at the command line or on a page: planned first, then done and recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.queries import channels, dead_letters, failures, findings, giving_up, interventions
from db.queries.channels import Pause
from workers.commands.costs import PRICES_OF, estimated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.dead_letters import DeadLetter, Meant
    from db.queries.failures import Listed, Wanted
    from db.queries.findings import FindingRow
    from db.queries.interventions import By

MOST: Final = 10_000
"""Deliveries at a time."""

A_LONG_TIME: Final = timedelta(days=3650)
"""Of a pause that ends when somebody ends it."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """What a retry would do.

    Attributes:
        able: Deliveries that would be sent once more.
        left: Those that are left out, and why.
        cost: What that would come to, by currency, as far as prices are known.
    """

    able: Sequence[Listed]
    left: Sequence[Listed]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Replaying:
    """What a replay would do.

    Attributes:
        letters: What would be due again.
        cost: What that would come to, by currency, as far as prices are known.
    """

    letters: Sequence[DeadLetter]
    cost: Mapping[str, float]


def plan_retry(session: Session, wanted: Wanted, now: datetime) -> Retrying:
    """Say what a retry would do."""
    found = failures.find(session, wanted, MOST)
    able = [each for each in found if each.obstacle is None]
    left = [each for each in found if each.obstacle and (wanted.ids or each.status in {"FAILED", "BOUNCED"})]
    return Retrying(able, left, _cost(session, Counter(each.channel for each in able), now))


def retry(session: Session, ids: Sequence[UUID], by: By, details: Mapping[str, object]) -> list[UUID]:
    """Make failed deliveries due once more; return those that were."""
    again = failures.retry(session, ids)
    if again:
        interventions.record(session, by, "retry", {**details, "of": len(again)}, again)
    return again


def give_up(session: Session, ids: Sequence[UUID], by: By, now: datetime) -> list[UUID]:
    """End deliveries that wait to be sent; return those that it ended."""
    ended = giving_up.give_up(session, ids, now)
    if ended:
        interventions.record(session, by, "cancel", {"of": len(ended)}, ended)
    return ended


def plan_replay(session: Session, meant: Meant, now: datetime, limit: int = 1000) -> Replaying:
    """Say what a replay would do."""
    found = dead_letters.find(session, meant, limit)
    return Replaying(found, _cost(session, Counter(letter.queue.upper() for letter in found), now))


def replay(session: Session, letters: Sequence[DeadLetter], by: By, now: datetime) -> None:
    """Make parked rows due again."""
    dead_letters.replay(session, letters, now)
    named = [f"{letter.queue} {letter.id}" for letter in letters]
    interventions.record(session, by, "replay", {"letters": named})


def pause(session: Session, channel: str, length: timedelta | None, by: By, now: datetime) -> datetime:
    """Stop sending on a channel, until resumed where no length is given; return until when."""
    until = now + (length or A_LONG_TIME)
    wanted = Pause(channel, "BY_HAND", "by_hand", f"{by.who}: {by.why}", now, until)
    channels.pause(session, wanted, after_probe=False)
    interventions.record(session, by, "pause", {"channel": channel, "until": until})
    return until


def resume(session: Session, channel: str, by: By) -> Pause | None:
    """End a channel's pause, whoever or whatever paused it; return it, or None where there was none."""
    paused = next((each for each in channels.pauses(session) if each.channel == channel), None)
    if paused is not None:
        channels.resume(session, channel)
        interventions.record(session, by, "resume", {"channel": channel, "kind": paused.kind})
    return paused


def resolve(session: Session, finding: FindingRow, by: By, now: datetime) -> bool:
    """Call a finding resolved; False where somebody else just has."""
    done = findings.resolve(session, finding.id, by.who, by.why, now)
    if done:
        interventions.record(session, by, "resolve", {"kind": finding.kind}, [finding.id])
    return done


def _cost(session: Session, messages: Mapping[str, int], now: datetime) -> dict[str, float]:
    return estimated(messages, failures.prices(session, now - PRICES_OF))
