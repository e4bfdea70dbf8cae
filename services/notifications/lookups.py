"""Asks a provider what it has not said by itself: whether a message exists, how it fared, what it cost."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import lookups
from db.queries.lookups import Bounds, Later
from providers.errors import Misconfigured, ProviderError, RateLimited
from services.notifications import matching, phones, receipts
from services.notifications.effects import Effects, Handled
from services.notifications.fallback import give_way
from services.notifications.receipts import ARRIVED, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.lookups import Question
    from providers.base import MessageLookup, MessageState
    from services.notifications.effects import Classify
    from services.notifications.matching import Match

log = logging.getLogger(__name__)

BATCH: Final = 8
SIDE_BY_SIDE: Final = BATCH
LEASE: Final = timedelta(seconds=45)
"""Longer than the questions of a batch take together, with the transport's timeouts."""

TRIES: Final = 5
SEARCH_AGAIN: Final = timedelta(seconds=30)
HORIZON: Final = timedelta(days=1)
"""What is not answered by then is asked one last time: a provider's word hardly comes later."""

BUSY_FOR: Final = timedelta(seconds=2)
ERROR_LEAST: Final = timedelta(seconds=30)
ERROR_MOST: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class LookupPolicy:
    """When to ask.

    Attributes:
        send_lease: How long a claim of a send holds: after it, no send is under way any more.
        status_again: Until a message's state or price is asked for again; doubled with each time.
        fallback_after: How long a WhatsApp message may stay undelivered before it gives way.
    """

    send_lease: timedelta
    status_again: timedelta
    fallback_after: timedelta


@dataclass(frozen=True)
class Lookups:
    """Puts the questions that are due. No transaction is open while a provider is asked.

    Attributes:
        sessions: Makes sessions.
        providers: Whom to ask, by channel.
        region: The country of numbers that are written without one.
        policy: When to ask.
        clock: Gives the time, aware, UTC.
        classify: By provider, how its codes are taken; see ``Effects``.
    """

    sessions: sessionmaker[Session]
    providers: Mapping[str, MessageLookup]
    region: str
    policy: LookupPolicy
    clock: Callable[[], datetime]
    classify: Mapping[str, Classify] = field(default_factory=dict)

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Ask until nothing is due or ``should_stop`` says so; return how many questions were put."""
        total = 0
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="lookup") as threads:
            while not should_stop():
                with self.sessions.begin() as session:
                    now = self.clock()
                    questions = lookups.claim(session, BATCH, now, now + LEASE)
                if not questions:
                    break
                for question, answer in zip(questions, threads.map(self._ask, questions), strict=True):
                    with self.sessions.begin() as session:
                        self._take(session, question, answer)
                total += len(questions)
        return total

    def sweep(self) -> int:
        """Put down the questions that nobody has put down, as after a crash; return how many."""
        with self.sessions.begin() as session:
            now = self.clock()
            bounds = Bounds(
                now=now,
                horizon=now - HORIZON,
                left_by=now - self.policy.send_lease,
                arrived_by=now - self.policy.fallback_after,
            )
            return lookups.overdue(session, list(self.providers), bounds)

    def _ask(self, question: Question) -> Sequence[MessageState] | ProviderError:
        provider = self.providers.get(question.channel)
        if provider is None:
            return []
        try:
            if question.message_id is not None:
                state = provider.fetch(question.message_id)
                return [] if state is None else [state]
            number = self._number(question.recipient)
            if question.closed_at is not None or number is None:
                return []
            window = matching.window(question.opened_at, self.policy.send_lease)
            days = sorted({moment.date() for moment in window})
            return [state for day in days for state in provider.search(number, day)]
        except ProviderError as error:
            return error

    def _take(
        self, session: Session, question: Question, answer: Sequence[MessageState] | ProviderError
    ) -> None:
        now = self.clock()
        if isinstance(answer, ProviderError):
            self._not_answered(session, question, answer, now)
        elif question.channel not in self.providers:
            lookups.finish(session, question)
        elif question.message_id is not None:
            self._take_state(session, question, answer[0] if answer else None, now)
        elif question.closed_at is None:
            self._take_list(session, question, answer, now)
        else:
            lookups.finish(session, question)

    @staticmethod
    def _not_answered(session: Session, question: Question, error: ProviderError, now: datetime) -> None:
        """Ask again at the provider's word, or the later the older the question is; no try is counted."""
        match error:
            case RateLimited():
                pause = timedelta(seconds=error.retry_after)
            case Misconfigured():
                pause = ERROR_MOST
                log.error("look-ups on channel %s are refused: %s", question.channel, error.code)
            case _:
                pause = min(max((now - question.opened_at) / 4, ERROR_LEAST), ERROR_MOST)
        why = f"{error.code}: {error.detail}"
        lookups.postpone(session, question, Later(question.kind, now + pause, question.tries, why))

    def _take_state(
        self, session: Session, question: Question, state: MessageState | None, now: datetime
    ) -> None:
        told = {question.state}
        if state is not None:
            word = receipts.answered(question.provider, question.token, state, now)
            if self._effects.apply(session, [word], "LOOKUP", now) == [Handled.BUSY]:
                self._again_soon(session, question, now)
                return
            lookups.price(session, question.token, state.segments, _cost(state))
            told.add(word.state)
        final = not told.isdisjoint(ARRIVED | FAILED)
        overdue = now >= question.opened_at + self.policy.fallback_after
        if question.channel == "WHATSAPP" and overdue and not final:
            give_way(session, [question.delivery_id], "NOT_DELIVERED", now)
        if final and (question.priced or (state is not None and _cost(state))):
            lookups.finish(session, question)
            return
        why = "the provider knows no such message" if state is None else None
        self._again(session, question, "STATUS", now, why)

    def _take_list(
        self, session: Session, question: Question, listed: Sequence[MessageState], now: datetime
    ) -> None:
        # The attempts first and what is claimed afterwards: one that is settled in between is in neither.
        around = self.policy.send_lease + 2 * matching.SKEW
        number = self._number(question.recipient)
        attempts = [
            each
            for each in lookups.unclaimed(session, question, around)
            if self._number(each.recipient) == number
        ]
        known = lookups.known(session, question.provider, [state.message_id for state in listed])
        if all(each.token != question.token for each in attempts):
            self._again_soon(session, question, now)
            return
        found = matching.match(attempts, listed, known, self.policy.send_lease)
        if found.pairs:
            self._prove(session, question, found, now)
        self._again(session, question, "SEARCH", now, found.doubt or "not in the provider's list")

    def _prove(self, session: Session, question: Question, found: Match, now: datetime) -> None:
        """Settle the attempts, and ask for the messages' fate and price later."""
        tokens = [attempt.token for attempt, _ in found.pairs]
        words = [
            receipts.answered(question.provider, attempt.token, state, now) for attempt, state in found.pairs
        ]
        if not found.certain:
            # That each was accepted is sure; which of them fared how is not.
            words = [replace(word, state=None) for word in words]
        handled = self._effects.apply(session, words, "LOOKUP", now)
        rows = [
            {"token": token, "kind": "STATUS", "due_at": now + self.policy.status_again}
            for token, outcome in zip(tokens, handled, strict=True)
            if outcome is not Handled.BUSY
        ]
        lookups.schedule(session, json_rows.dumps(rows))

    def _again(self, session: Session, question: Question, kind: str, now: datetime, why: str | None) -> None:
        """Ask again, with growing pauses; after the last one, once more at the horizon and then no more."""
        horizon = question.opened_at + HORIZON
        if now >= horizon:
            lookups.finish(session, question)
            return
        tries = question.tries + 1 if kind == question.kind else 1
        first = self.policy.status_again if kind == "STATUS" else SEARCH_AGAIN
        due_at = horizon if tries >= TRIES else now + first * 2 ** (tries - 1)
        overdue_at = question.opened_at + self.policy.fallback_after
        if kind == "STATUS" and question.channel == "WHATSAPP" and now < overdue_at:
            due_at = min(due_at, overdue_at)
        lookups.postpone(session, question, Later(kind, due_at, tries, why))

    @staticmethod
    def _again_soon(session: Session, question: Question, now: datetime) -> None:
        lookups.postpone(session, question, Later(question.kind, now + BUSY_FOR, question.tries))

    def _number(self, recipient: str | None) -> str | None:
        try:
            return None if recipient is None else phones.e164(recipient, self.region)
        except phones.UnreadableNumberError:
            return None

    @property
    def _effects(self) -> Effects:
        return Effects(self.classify, self.region)


def _cost(state: MessageState) -> tuple[Decimal, str] | None:
    """A provider may name the currency before the price."""
    return (state.price, state.price_unit) if state.price is not None and state.price_unit else None
