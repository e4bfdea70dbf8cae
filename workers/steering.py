"""What people do by hand, at the command line or on a page: planned first, then done and recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.queries import channels, dead_letters, failures, findings, giving_up, interventions
from db.queries.channels import Pause
from db.queries.failures import Wanted
from services.notifications import readdressing
from workers.commands.costs import PRICES_OF, estimated
from workers.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.addresses import SentAnew
    from db.queries.dead_letters import DeadLetter, Meant
    from db.queries.failures import Listed
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
        moved: To which address those would go whose account has another by now, masked; by the delivery's id.
        cost: What that would come to, by currency, as far as prices are known.
    """

    able: Sequence[Listed]
    left: Sequence[Listed]
    moved: Mapping[UUID, str]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry has done.

    Attributes:
        again: Deliveries that are due once more.
        anew: Those that are due as another delivery, to another address.
    """

    again: Sequence[UUID]
    anew: Sequence[SentAnew]

    @property
    def count(self) -> int:
        """How many messages are due."""
        return len(self.again) + len(self.anew)


@dataclass(frozen=True, slots=True)
class GivingUp:
    """What giving up would do.

    Attributes:
        waiting: Deliveries that would end as FAILED, but for those that a worker takes first.
        left: Those that have had their last word.
    """

    waiting: Sequence[Listed]
    left: Sequence[Listed]


@dataclass(frozen=True, slots=True)
class Replaying:
    """What a replay would do.

    Attributes:
        letters: What would be due again.
        cost: What that would come to, by currency, as far as prices are known.
    """

    letters: Sequence[DeadLetter]
    cost: Mapping[str, float]


def plan_retry(session: Session, wanted: Wanted, region: str, now: datetime) -> Retrying:
    """Say what a retry would do.

    Args:
        session: A transaction.
        wanted: Which deliveries are meant.
        region: The country of numbers that are written without one, by its two letters.
        now: The time of it.
    """
    listed = failures.find(session, wanted, MOST)
    goals = readdressing.goals(session, [each.delivery_id for each in listed if not each.obstacle], region)
    found = [
        replace(each, obstacle=goals[each.delivery_id].obstacle) if each.delivery_id in goals else each
        for each in listed
    ]
    able = [each for each in found if each.obstacle is None]
    left = [each for each in found if each.obstacle and (wanted.ids or each.status in {"FAILED", "BOUNCED"})]
    moved = {
        each.delivery_id: masked(goal.address)
        for each in able
        if (goal := goals.get(each.delivery_id)) and goal.moved
    }
    return Retrying(able, left, moved, _cost(session, Counter(each.channel for each in able), now))


def retry(
    session: Session, ids: Sequence[UUID], region: str, by: By, details: Mapping[str, object]
) -> Retried:
    """Make failed deliveries due once more: as they are, or as others where the account's address is another.

    Args:
        session: The transaction.
        ids: Those that ``plan_retry`` calls able.
        region: As there.
        by: Who does it, and why.
        details: What else is to be known of it; no personal data.
    """
    failures.hold(session, ids)
    moved = [goal for goal in readdressing.goals(session, ids, region).values() if goal.moved]
    elsewhere = {goal.delivery_id for goal in moved}
    again = failures.retry(session, [each for each in ids if each not in elsewhere])
    done = Retried(again, readdressing.send_anew(session, moved))
    said = {**details, "of": done.count}
    if again:
        interventions.record(session, by, "retry", said, again)
    for each in done.anew:
        where = {"sent_as": each.sent_as, "notification_id": each.notification_id}
        interventions.record(session, by, "retry", {**said, **where}, [each.delivery_id])
    return done


def plan_give_up(session: Session, ids: Sequence[UUID]) -> GivingUp:
    """Say what giving up would do."""
    found = failures.find(session, Wanted(ids), MOST)
    waiting = [each for each in found if each.status == "PENDING"]
    return GivingUp(waiting, [each for each in found if each.status != "PENDING"])


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
