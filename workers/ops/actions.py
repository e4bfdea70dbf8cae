"""What an operator can do: each action says what it would do and cost, then does it, and is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from db.queries import findings, interventions
from db.queries.channels import pauses
from db.queries.dead_letters import Meant
from db.queries.failures import Wanted
from tasks.wakeups import CHANNELS
from workers import steering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.interventions import By
    from workers.ops.calling import Call
    from workers.ops.doors import Fields

AT_ONCE: Final = 100
"""As many rows one click changes at most: what is said to be done can still be read."""

LENGTHS: Final = {"30m": timedelta(minutes=30), "2h": timedelta(hours=2), "12h": timedelta(hours=12)}


@dataclass(frozen=True)
class Plan:
    """What an action would do.

    Attributes:
        count: To how many rows; none where there is nothing to do.
        key: Of the words that say so.
        values: For the words.
        fields: What the form sends back, so that what is done is what was said.
        cost: What it would come to, by currency; None where it sends nothing.
        left: What is left out, and why.
        moved: What goes to another address than before, and to which.
        choices: What else is to be chosen, by the field's name.
        back: Where to go then, from the overview.
    """

    count: int
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cost: Mapping[str, float] | None = None
    left: Sequence[str] = ()
    moved: Sequence[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    back: str = ""


class Action(Protocol):
    """One action."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say what it would do."""

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Do it, in a transaction of its own; return to how many rows it was done."""


@dataclass(frozen=True)
class Retry:
    """Sends failed deliveries once more.

    Attributes:
        region: The country of numbers that are written without one, by its two letters.
    """

    region: str

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which."""
        ids = _ids(asked)
        found = steering.plan_retry(session, Wanted(ids), self.region, now)
        able = [str(each.delivery_id) for each in found.able]
        left = [f"{each.delivery_id}: {each.obstacle}" for each in found.left]
        channels = ", ".join(sorted({each.channel for each in found.able}))
        return Plan(
            len(able),
            "plan.retry",
            {"channels": channels},
            {"id": able},
            found.cost,
            left,
            moved=[f"{each} → {address}" for each, address in found.moved.items()],
            back=_back(ids),
        )

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Make them due."""
        able = steering.plan_retry(session, Wanted(_ids(asked)), self.region, now).able
        ids = [each.delivery_id for each in able]
        return steering.retry(session, ids, self.region, by, {"by": "page"}).count


class Cancel:
    """Gives up deliveries that wait to be sent."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which."""
        del now
        ids = _ids(asked)
        found = steering.plan_give_up(session, ids)
        left = [f"{each.delivery_id}: {each.status}" for each in found.left]
        named = [str(each.delivery_id) for each in found.waiting]
        channels = ", ".join(sorted({each.channel for each in found.waiting}))
        return Plan(
            len(named), "plan.cancel", {"channels": channels}, {"id": named}, None, left, back=_back(ids)
        )

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """End them."""
        return len(steering.give_up(session, _ids(asked), by, now))


class Replay:
    """Makes dead letters due again."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which."""
        found = steering.plan_replay(session, _meant(asked), now, AT_ONCE)
        queues = ", ".join(sorted({each.queue for each in found.letters}))
        fields = {"id": [each.id for each in found.letters], "queue": asked.get("queue", ())}
        return Plan(
            len(found.letters),
            "plan.replay",
            {"queues": queues},
            fields,
            found.cost,
            back="lists/dead-letters",
        )

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Make them due."""
        found = steering.plan_replay(session, _meant(asked), now, AT_ONCE).letters
        if found:
            steering.replay(session, found, by, now)
        return len(found)


class Pause:
    """Stops sending on a channel."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say on which."""
        del session, now
        channel = _channel(asked)
        choices = {"length": ("until_resumed", *LENGTHS)}
        values = {"channel": channel}
        return Plan(1 if channel else 0, "plan.pause", values, {"channel": [channel]}, choices=choices)

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Pause it."""
        channel = _channel(asked)
        if channel:
            steering.pause(session, channel, LENGTHS.get(_first(asked, "length")), by, now)
        return 1 if channel else 0


class Resume:
    """Ends a channel's pause."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which, and why it is paused."""
        del now
        channel = _channel(asked)
        paused = next((each for each in pauses(session) if each.channel == channel), None)
        why = f"{paused.kind} {paused.code}: {paused.detail}" if paused else ""
        return Plan(
            1 if paused else 0, "plan.resume", {"channel": channel, "why": why}, {"channel": [channel]}
        )

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Resume it."""
        del now
        return 1 if steering.resume(session, _channel(asked), by) else 0


class Resolve:
    """Calls a finding resolved."""

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which."""
        del now
        ids = _ids(asked)
        found = findings.one(session, ids[0]) if ids else None
        able = found is not None and found.resolved_at is None
        values = {"kind": found.kind, "subject": found.subject} if found else {"kind": "", "subject": ""}
        fields = {"id": [str(each) for each in ids[:1]]}
        back = f"findings/{ids[0]}" if found else "lists/findings"
        return Plan(1 if able else 0, "plan.resolve", values, fields, back=back)

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Resolve it."""
        ids = _ids(asked)
        found = findings.one(session, ids[0]) if ids else None
        return 1 if found is not None and steering.resolve(session, found, by, now) else 0


@dataclass(frozen=True)
class Run:
    """Has a worker run an entry of the timetable.

    Attributes:
        call: Calls a run.
    """

    call: Call

    def plan(self, session: Session, asked: Fields, now: datetime) -> Plan:
        """Say which."""
        del session, now
        name = _first(asked, "name")
        known = name in self.call.names
        return Plan(1 if known else 0, "plan.run", {"name": name}, {"name": [name]}, back="schedule")

    def do(self, session: Session, asked: Fields, by: By, now: datetime) -> int:
        """Call it; what comes of it is in the timetable."""
        del now
        name = _first(asked, "name")
        if name not in self.call.names or not self.call(name):
            return 0
        interventions.record(session, by, "run", {"entry": name})
        return 1


def _ids(asked: Fields) -> list[UUID]:
    ids = []
    for given in asked.get("id", ())[:AT_ONCE]:
        try:
            ids.append(UUID(given))
        except ValueError:
            continue
    return ids


def _meant(asked: Fields) -> Meant:
    return Meant(_first(asked, "queue") or None, list(asked.get("id", ()))[:AT_ONCE])


def _channel(asked: Fields) -> str:
    channel = _first(asked, "channel")
    return channel if channel in CHANNELS else ""


def _first(asked: Fields, name: str) -> str:
    return next(iter(asked.get(name, ())), "")


def _back(ids: Sequence[UUID]) -> str:
    return f"story/{ids[0]}" if len(ids) == 1 else "lists/deliveries"
