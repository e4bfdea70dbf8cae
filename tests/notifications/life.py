"""The real parts of all channels around a scripted provider, for one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from db.queries import dead_letters, failures, forgotten, interventions
from db.queries.channels import Gate
from db.queries.dead_letters import Meant
from db.queries.failures import Wanted
from db.queries.interventions import By
from services.notifications.carriers import EmailCarrier, PhoneCarrier, WhatsAppCarrier
from services.notifications.delivery import Drain
from services.notifications.evidence import Evidence
from services.notifications.lookups import LookupPolicy, Lookups
from services.notifications.retry import RetryPolicy
from services.notifications.settling import Ended
from tests.notifications.office import Answer, Counter, Office
from tests.notifications.pipeline import APP_URL, JITTER, LEASE, RENDERER, UNKNOWN_WAIT, Clock, never
from tests.notifications.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.dispatch import ClaimedRow
    from services.notifications.delivery import Carrier
    from services.notifications.outcomes import Settlement
    from workers.dev.application import Client

CHANNELS = ("EMAIL", "WHATSAPP", "SMS")
RETRIES = 2
GIVE_WAY_AFTER = timedelta(minutes=30)
LOOKUP_AFTER = timedelta(minutes=10)
STRIDE = timedelta(minutes=10)
BY = By("camille", "the provider says that it is mended")


@dataclass
class Hand:
    """A worker that has claimed and stands still: it goes on later, or never, for it was killed."""

    drain: Drain
    gate: Gate
    early: Sequence[tuple[ClaimedRow, Settlement]]
    opened: Sequence[tuple[ClaimedRow, UUID]]
    ended: list[Ended] | None = None

    def send(self) -> None:
        self.ended = [self.drain._send(claimed, token) for claimed, token in self.opened]

    def settle(self) -> None:
        """As the drain does: what ended without a send first, and by itself."""
        self.drain._settler.settle([Ended(row, settlement) for row, settlement in self.early], probe=False)
        self.drain._settler.settle(self.ended or [], probe=self.gate is Gate.PROBE)


@dataclass
class World:
    """One run's parts.

    Attributes:
        sessions: As the fleet's role.
        application: As the owner.
        client: Whose notifications these are.
        hold: Whether what is unknown waits for a person.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    client: Client
    hold: bool
    clock: Clock = field(init=False, default_factory=Clock)
    office: Office = field(init=False)
    told: Told = field(init=False)
    drains: dict[str, Drain] = field(init=False)
    lookups: Lookups = field(init=False)
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        # Ahead of the database's own clock, which therefore decides nothing.
        self.clock.now = self.clock.now.replace(microsecond=0) + timedelta(hours=1)
        self.office = Office(self.clock)
        self.told = Told(self.sessions, self.application, self.clock, self.client.user_id)
        self.drains = {channel: self.drain(channel) for channel in CHANNELS}
        self.evidence = Evidence(self.sessions, self.clock)
        policy = LookupPolicy(timedelta(seconds=LEASE), LOOKUP_AFTER, GIVE_WAY_AFTER)
        asked = {channel: Counter(self.office, channel) for channel in ("WHATSAPP", "SMS")}
        self.lookups = Lookups(self.sessions, asked, "FR", policy, self.clock)

    def drain(self, channel: str) -> Drain:
        """Another process's drain of a channel."""
        return Drain(
            channel=channel,
            carrier=self._carrier(channel),
            sessions=self.sessions,
            policy=RetryPolicy(RETRIES, 30.0, 3600.0, UNKNOWN_WAIT, self.hold),
            lease=timedelta(seconds=LEASE),
            side_by_side=4,
            clock=self.clock,
            jitter=lambda: JITTER,
            lookup_after=None if channel == "EMAIL" else LOOKUP_AFTER,
        )

    def _carrier(self, channel: str) -> Carrier:
        counter = Counter(self.office, channel)
        words = (RENDERER, "fr", APP_URL)
        if channel == "EMAIL":
            return EmailCarrier(counter, *words)
        if channel == "SMS":
            return PhoneCarrier(counter, *words, "FR")
        return WhatsAppCarrier(
            counter,
            *words,
            "FR",
            templates={},
            free_text_always=True,
            give_way_after=GIVE_WAY_AFTER,
            clock=self.clock,
        )

    def claim(self, channel: str) -> Hand:
        """A worker claims what is due, and gets no further."""
        drain = self.drain(channel)
        return Hand(drain, *drain._lease(4))

    def sweep(self) -> None:
        """What beat ticks for."""
        self.lookups.sweep()
        with self.sessions.begin() as session:
            forgotten.enqueue(session, self.clock() - timedelta(days=1), self.clock())

    def retry_by_hand(self, delivery_id: UUID) -> bool:
        """What ``fleet retry`` does; False where it is left out."""
        with self.sessions.begin() as session:
            (found,) = failures.find(session, Wanted([delivery_id]), 1)
            if found.obstacle is not None:
                return False
            again = failures.retry(session, [delivery_id])
            interventions.record(session, BY, "retry", {}, again)
        return bool(again)

    def replay(self) -> list[UUID]:
        """What ``fleet replay`` does with all dead letters; gives the deliveries' ids."""
        with self.sessions.begin() as session:
            found = dead_letters.find(session, Meant())
            dead_letters.replay(session, found, self.clock())
        return [UUID(letter.id) for letter in found]

    def rows(self, statement: str) -> list[Any]:
        return self.told.rows(statement)

    def hear(self, *callbacks: Mapping[str, object]) -> None:
        """The provider posts, the ingress stores, and the drain of the inbox works it off."""
        self.told.hear(*callbacks)
        self.evidence.run(never)

    def all_is_well(self) -> None:
        """Everybody is at work and the provider delivers, until there is nothing left to do."""
        self.office.mute, self.office.answer = False, Answer.TAKEN
        for _ in range(100):
            self.office.deliver_all()
            self.hear(*self.office.outgoing)
            self.sweep()
            self.lookups.run(never)
            for drain in self.drains.values():
                drain.run(never)
            with self.application() as session:
                due_at = session.scalar(_NEXT)
            if due_at is None:
                return
            self.clock.now = max(due_at, self.clock.now + STRIDE)
        raise AssertionError("it never comes to rest")


_NEXT = text("""
    select min(due_at) from (
      select greatest(q.due_at, q.lease_until, c.paused_until) as due_at
      from fleet.dispatch q left join fleet.channels c using (channel)
      where q.parked_at is null
      union all select due_at from fleet.inbox where handled_at is null
      union all select greatest(due_at, lease_until) from fleet.lookups
    ) waiting
""")
