"""The third move of a delivery: what came of the sends is written down, and what follows from it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from db import json_rows
from db.queries import channels, codes, dispatch, lookups
from db.queries.channels import Pause
from providers.errors import Ambiguous, Misconfigured, RateLimited, Suppressed, Transient, Undeliverable
from services import witness
from services.notifications import journey, stops
from services.notifications.fallback import give_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.dispatch import ClaimedRow
    from providers.errors import ProviderError
    from services.notifications.outcomes import Settlement

log = logging.getLogger(__name__)

PROBE_BASE_SECONDS = 5.0
PROBE_CAP_SECONDS = 300.0
SETTLE_SECONDS = 300.0
SEARCH_AFTER = timedelta(seconds=10)
"""A message whose answer was lost is in the provider's list by then, if it is to be there at all."""

FAILING_AFTER = 20
"""Sends in a row that the provider did not deal with, until its channel is paused."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A send that came back, or a claimed delivery that ended without one.

    ``took`` is when the carrier was called and when it came back; None where it was not.
    """

    claimed: ClaimedRow
    settlement: Settlement
    error: ProviderError | None = None
    took: tuple[datetime, datetime] | None = None


@dataclass
class Settler:
    """Writes the outcomes of one channel.

    Attributes:
        channel: The channel's name.
        provider: Who is handed its messages.
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        lookup_after: When to ask the provider for the fate and the price of an accepted message; None where
            it cannot be asked.
        region: The country of numbers that are written without one, by its two letters.
        failing_after: Sends in a row without a real answer that pause the channel.
    """

    channel: str
    provider: str
    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    lookup_after: timedelta | None = None
    region: str = "FR"
    failing_after: int = FAILING_AFTER
    _failing: int = field(init=False, default=0)

    @retry(
        retry=retry_if_exception_type(OperationalError),
        wait=wait_exponential_jitter(multiplier=0.1, max=2.0),
        stop=stop_after_delay(SETTLE_SECONDS),
        reraise=True,
    )
    def settle(self, ended: Sequence[Ended], *, probe: bool) -> None:
        """Write the outcomes, however long the database is away: one forgotten is an outcome unknown.

        Args:
            ended: What came back.
            probe: Whether it was the one message that may go through a paused channel.
        """
        if not ended:
            return
        failing = _failing_in_a_row(self._failing, ended)
        with self.sessions.begin() as session:
            now = self.clock()
            dispatch.settle(session, json_rows.dumps(e.settlement.row() for e in ended), now)
            self._follow_up(session, ended, now)
            self._pause_or_resume(session, ended, now, failing, probe=probe)
            stops.heed_refusals(session, _suppressed(ended), self.region)
            witness.tell(session, journey.sends, ended, now)
        self._failing = 0 if failing >= self.failing_after else failing

    def _follow_up(self, session: Session, ended: Sequence[Ended], now: datetime) -> None:
        if self.lookup_after is not None:
            questions = list(self._questions(ended, now))
            if questions:
                lookups.schedule(session, json_rows.dumps(questions))
        refused = [e.claimed.delivery_id for e in ended if _another_channel_may_do(e)]
        if refused:
            give_way(session, refused, "REFUSED", now)
        unseen = [
            {
                "provider": self.provider,
                "code": e.error.code,
                "taken_as": e.error.kind,
                "token": e.settlement.token,
            }
            for e in ended
            if e.error is not None and not e.error.known
        ]
        if unseen:
            log.warning(
                "channel %s: unknown codes: %s",
                self.channel,
                ", ".join(sorted({str(u["code"]) for u in unseen})),
            )
            codes.count_unseen(session, json_rows.dumps(unseen), now)

    def _questions(self, ended: Sequence[Ended], now: datetime) -> Iterator[dict[str, object]]:
        for e in ended:
            if e.settlement.token is None and e.claimed.open_token is not None and e.claimed.searches is None:
                # A worker that is gone has left it open.
                yield {"token": e.claimed.open_token, "kind": "SEARCH", "due_at": now}
            elif isinstance(e.error, Ambiguous):
                yield {"token": e.settlement.token, "kind": "SEARCH", "due_at": now + SEARCH_AFTER}
            elif e.settlement.outcome == "ACCEPTED" and self.lookup_after is not None:
                yield {"token": e.settlement.token, "kind": "STATUS", "due_at": now + self.lookup_after}

    def _pause_or_resume(
        self, session: Session, ended: Sequence[Ended], now: datetime, failing: int, *, probe: bool
    ) -> None:
        errors = {e.error.code: e.error for e in ended if e.error is not None}
        pauses = [found for error in errors.values() if (found := self._pause(session, error, now))]
        if errors and (failing >= self.failing_after or (probe and failing)):
            pauses.append(self._failing_pause(session, next(iter(errors.values())), now))
        for pause in pauses:
            channels.pause(session, pause, after_probe=probe)
        if probe and not failing and not any(pause.kind == "MISCONFIGURED" for pause in pauses):
            channels.resume(session, self.channel)

    def _pause(self, session: Session, error: ProviderError, now: datetime) -> Pause | None:
        match error:
            case Misconfigured():
                kind, seconds = "MISCONFIGURED", self._probe_pause(session)
                log.error("channel %s is paused: %s", self.channel, error.code)
            case RateLimited():
                kind, seconds = "RATE_LIMITED", error.retry_after
            case _:
                return None
        until = now + timedelta(seconds=seconds)
        return Pause(self.channel, kind, error.code, error.detail, now, until)

    def _failing_pause(self, session: Session, error: ProviderError, now: datetime) -> Pause:
        log.error("channel %s is paused: its provider keeps failing, with %s", self.channel, error.code)
        until = now + timedelta(seconds=self._probe_pause(session))
        return Pause(self.channel, "FAILING", error.code, error.detail, now, until)

    def _probe_pause(self, session: Session) -> float:
        """Seconds until the next probe: doubled with each strike, for a refused key is mended by a person."""
        strikes = channels.strikes(session, self.channel)
        return min(PROBE_CAP_SECONDS, PROBE_BASE_SECONDS * 2.0 ** min(strikes, 16))


def _failing_in_a_row(before: int, ended: Sequence[Ended]) -> int:
    """Count the sends at the end that the provider did not deal with; those that never left count too."""
    count = before
    for e in ended:
        match e.error:
            case Transient() | Ambiguous():
                count += 1
            case None if e.settlement.outcome != "ACCEPTED":
                pass  # nothing was asked of the provider
            case _:
                count = 0
    return count


def _another_channel_may_do(ended: Ended) -> bool:
    return ended.settlement.state == "FAILED" and (
        isinstance(ended.error, Undeliverable | Transient) or ended.settlement.code == "refused_channel"
    )


def _suppressed(ended: Sequence[Ended]) -> list[UUID]:
    """The attempts to whose numbers the provider never writes."""
    return [e.settlement.token for e in ended if isinstance(e.error, Suppressed) and e.settlement.token]
