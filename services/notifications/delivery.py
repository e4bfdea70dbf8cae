"""The three moves of a delivery: claim and commit; send side by side; settle and commit.

States of a row of the queue::

    due ──claim──> leased ──answer──> SENT or FAILED (row deleted)
     ^               │ ├──later────> due again: retry, provider's word, our own limits, paused channel
     │               │ ├──no answer─> waits for evidence, attempt open ──evidence──> SENT
     └──lease ends───┘ └──our fault─> parked                         └──none──> due again
"""

from __future__ import annotations

import logging
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from db.queries import channels, dispatch
from db.queries.channels import Gate, Pause
from providers.errors import ProviderError
from services.notifications import outcomes
from services.notifications.consent import Consent
from services.notifications.judgement import judge
from services.notifications.retry import RetryPolicy, decide
from services.notifications.settling import Ended, Settler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.dispatch import ClaimedRow
    from providers.base import Receipt
    from services.notifications.outcomes import Settlement, Tell
    from services.notifications.pace import Pace

log = logging.getLogger(__name__)


class Carrier(Protocol):
    """Renders one delivery and hands it to its provider. Called from many threads at once."""

    @property
    def provider(self) -> str:
        """The provider's name."""

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Send one delivery.

        Raises:
            ProviderError: The provider did not take it, or nobody knows.
            Exception: It could not be prepared, and nothing left.
        """


@dataclass
class Drain:
    """Sends what is due on one channel. One per channel and process; the process's threads share it.

    Attributes:
        channel: The channel's name.
        carrier: Renders and sends.
        sessions: Makes sessions.
        policy: The channel's retries.
        lease: How long a claim holds; longer than any send.
        side_by_side: Sends under way at once.
        pace: The limits to keep; None where there are none.
        lookup_after: When to ask the provider for the fate of an accepted message; None where it cannot be.
        consent: Whether people are to be written to.
        clock: Gives the time, aware, UTC.
        jitter: Gives a number in [0, 1).
    """

    channel: str
    carrier: Carrier
    sessions: sessionmaker[Session]
    policy: RetryPolicy
    lease: timedelta
    side_by_side: int
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    pace: Pace | None = None
    lookup_after: timedelta | None = None
    consent: Consent = field(default_factory=Consent)
    _running: Lock = field(init=False, default_factory=Lock)
    _under_way: int = field(init=False, default=0)
    _arrivals: SimpleQueue[Ended | None] = field(init=False, default_factory=SimpleQueue)
    _threads: ThreadPoolExecutor = field(init=False)
    _settler: Settler = field(init=False)

    def __post_init__(self) -> None:
        self._settler = Settler(
            self.channel,
            self.carrier.provider,
            self.sessions,
            self.clock,
            self.lookup_after,
            self.consent.region,
        )
        self._threads = ThreadPoolExecutor(
            self.side_by_side, thread_name_prefix=f"send-{self.channel.lower()}"
        )

    def run(self, should_stop: Callable[[], bool], tell: Tell = outcomes.to_nobody) -> int:
        """Send until nothing is due or ``should_stop`` says so; return how many deliveries were settled.

        A second call while one is running wakes that one instead and returns 0 at once.

        Args:
            should_stop: Asked between claims.
            tell: Is told what became of each.
        """
        settled = 0
        self._arrivals.put(None)
        # Again, where a wake-up came between the last look at the queue and the release.
        while not self._arrivals.empty() and self._running.acquire(blocking=False):
            try:
                if not self._under_way:
                    self._gather()
                settled += self._slide(should_stop, tell)
            finally:
                self._running.release()
        return settled

    def one(self, delivery_id: UUID) -> Settlement | None:
        """Send one delivery now, due or not; None where the channel has it not queued, or another has it."""
        with self.sessions.begin() as session:
            now = self.clock()
            row = dispatch.claim_one(session, delivery_id, self.channel, now, now + self.lease)
            if row is None:
                return None
            early, opened = self._judge(session, [row], now)
        ended = [Ended(row, settlement) for row, settlement in early]
        held_back, granted = self._keep_pace(opened)
        ended += held_back + [self._send(claimed, token) for claimed, token in granted]
        self._settler.settle(ended, probe=False)
        return ended[0].settlement

    def _slide(self, should_stop: Callable[[], bool], tell: Tell) -> int:
        """Keep the window of sends full, and settle answers as they arrive: a slow one delays nobody."""
        settled = 0
        claiming, probe = True, False
        while claiming or self._under_way:
            room = self.side_by_side - self._under_way
            # A probe under way is alone, and its answer must be settled as a probe's.
            alone = probe and self._under_way > 0
            if claiming and not alone and (self._under_way == 0 or room >= self.side_by_side // 4):
                started, ended_at_once, gate = self._claim(room)
                self._under_way += started
                settled += _told(ended_at_once, tell)
                probe = gate is Gate.PROBE
                claiming = (gate is Gate.OPEN and started + len(ended_at_once) >= room) or (
                    probe and not started and len(ended_at_once) > 0
                )
            if self._under_way:
                ended, woken = self._gather()
                self._under_way -= len(ended)
                self._settler.settle(ended, probe=probe)
                settled += _told(ended, tell)
                claiming = claiming or woken or probe
            claiming = claiming and not should_stop()
        return settled

    def _gather(self) -> tuple[list[Ended], bool]:
        """Wait for an answer or a wake-up, and take whatever else has arrived with it."""
        arrived = [self._arrivals.get()]
        try:
            while True:
                arrived.append(self._arrivals.get_nowait())
        except Empty:
            pass
        return [ended for ended in arrived if ended is not None], None in arrived

    def _claim(self, room: int) -> tuple[int, Sequence[Ended], Gate]:
        """Lease what is due and start it; return how many started, what ended at once, and the gate."""
        try:
            if not (room := self._room(room)):
                return 0, [], Gate.CLOSED
            gate, early, opened = self._lease(room)
        except OperationalError as error:
            # Sends may be under way whose answers must be settled: the next wake-up claims again.
            log.warning(
                "channel %s: nothing claimed, the database is away (%s)", self.channel, type(error).__name__
            )
            return 0, [], Gate.CLOSED
        held_back, granted = self._keep_pace(opened)
        ended = [Ended(row, settlement) for row, settlement in early] + held_back
        self._settler.settle(ended, probe=False)
        for claimed, token in granted:
            self._threads.submit(self._send_and_report, claimed, token)
        return len(granted), ended, gate

    def _room(self, wanted: int) -> int:
        """How many our own limits let go now; none pauses the channel, so that nobody asks in vain."""
        if self.pace is None:
            return wanted
        room, seconds = self.pace.room(wanted)
        if not room:
            with self.sessions.begin() as session:
                now = self.clock()
                until = now + timedelta(seconds=seconds)
                pause = Pause(self.channel, "RATE_LIMITED", "own_limit", "the fleet's own limit", now, until)
                channels.pause(session, pause, after_probe=False)
        return room

    def _keep_pace(
        self, opened: Sequence[tuple[ClaimedRow, UUID]]
    ) -> tuple[list[Ended], list[tuple[ClaimedRow, UUID]]]:
        """Part what a limit holds back, since another worker was quicker or the person has had enough."""
        if self.pace is None or not opened:
            return [], list(opened)
        refusals = self.pace.take([str(row.user_id or row.delivery_id) for row, _ in opened])
        now = self.clock()
        held_back = [
            Ended(row, outcomes.paced(row, token, r.code, r.why, now + timedelta(seconds=r.seconds)))
            for (row, token), r in zip(opened, refusals, strict=True)
            if r is not None
        ]
        granted = [pair for pair, refusal in zip(opened, refusals, strict=True) if refusal is None]
        return held_back, granted

    def _lease(
        self, room: int
    ) -> tuple[Gate, list[tuple[ClaimedRow, Settlement]], list[tuple[ClaimedRow, UUID]]]:
        with self.sessions.begin() as session:
            now = self.clock()
            gate = channels.gate(session, self.channel, now, now + self.lease)
            if gate is Gate.CLOSED:
                return gate, [], []
            limit = 1 if gate is Gate.PROBE else room
            rows = dispatch.claim_due(session, self.channel, limit, now, now + self.lease)
            early, opened = self._judge(session, rows, self.clock())
            if gate is Gate.PROBE and not opened:
                channels.give_probe_back(session, self.channel, now)
            return gate, early, opened

    def _judge(
        self, session: Session, rows: Sequence[ClaimedRow], now: datetime
    ) -> tuple[list[tuple[ClaimedRow, Settlement]], list[tuple[ClaimedRow, UUID]]]:
        provider, searchable = self.carrier.provider, self.lookup_after is not None
        return judge(session, rows, now, self.policy, provider, searchable=searchable, consent=self.consent)

    def _send_and_report(self, claimed: ClaimedRow, token: UUID) -> None:
        self._arrivals.put(self._send(claimed, token))

    def _send(self, claimed: ClaimedRow, token: UUID) -> Ended:
        about = {"delivery_id": str(claimed.delivery_id), "attempt": str(token)}
        if claimed.event_id is not None:
            about["event_id"] = str(claimed.event_id)
        with bound_contextvars(**about):
            return self._carry(claimed, token)

    def _carry(self, claimed: ClaimedRow, token: UUID) -> Ended:
        began_at = self.clock()
        try:
            receipt = self.carrier.carry(claimed, token)
        except ProviderError as error:
            now = self.clock()
            decision = decide(error, claimed.tries + 1, self.policy, now, self.jitter)
            settlement = outcomes.refused(claimed, token, self.carrier.provider, error, decision)
            said = (claimed.delivery_id, error.code, type(decision).__name__.lower())
            log.info("delivery %s was not taken: %s; %s", *said)
            return Ended(claimed, settlement, error, (began_at, now))
        except Exception as error:
            log.exception("delivery %s could not be prepared", claimed.delivery_id)
            settlement = outcomes.parked(claimed, token, error)
            return Ended(claimed, settlement, took=(began_at, self.clock()))
        settlement = outcomes.accepted(claimed, token, receipt)
        return Ended(claimed, settlement, took=(began_at, self.clock()))


def _told(ended: Sequence[Ended], tell: Tell) -> int:
    for each in ended:
        tell(each.settlement)
    return len(ended)
