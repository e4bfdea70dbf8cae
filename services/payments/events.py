"""Works off what Stripe has told: each event points to a thing, and the thing is asked for."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import stripe_inbox
from providers.errors import Misconfigured, ProviderError, RateLimited
from services import witness
from services.payments import pointers
from services.payments.pointers import MalformedEventError, Thing
from services.payments.words import Applied, Learned, Outcome
from services.witness import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.stripe_inbox import EventRow
    from services.payments.asking import Cashier
    from services.payments.pointers import Pointer

log = logging.getLogger(__name__)

BATCH: Final = 64
SIDE_BY_SIDE: Final = 8
LEASE: Final = timedelta(minutes=4)
"""Longer than the questions of a batch take one after the other in each thread, with the timeouts."""

PASSED_OVER: Final = "PASSED_OVER"
PARK_AFTER: Final = 12
"""Tries. With the pauses between them Stripe may be away for two hours."""

PAUSE_FIRST: Final = timedelta(seconds=15)
PAUSE_MOST: Final = timedelta(minutes=30)
REFUSED_FOR: Final = timedelta(minutes=1)
"""So long everything waits where Stripe refuses the key."""


@dataclass(frozen=True, slots=True)
class _Later:
    """Events that could not be worked off: why, and whether it costs them a try."""

    events: Sequence[EventRow]
    error: Exception


@dataclass(frozen=True)
class StripeInbox:
    """Works off the inbox's rows of Stripe.

    Attributes:
        sessions: Makes sessions.
        cashier: Asks and applies.
        clock: Gives the time, aware, UTC.
        jitter: Gives a number in [0, 1).
    """

    sessions: sessionmaker[Session]
    cashier: Cashier
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work off events until nothing is due, Stripe lets nobody in, or ``should_stop`` says so.

        Returns:
            How many were taken up.
        """
        total = 0
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="stripe") as threads:
            while not should_stop():
                with self.sessions.begin() as session:
                    now = self.clock()
                    events = stripe_inbox.lease(session, BATCH, now, now + LEASE)
                if not events:
                    break
                total += len(events)
                if self._work_off(events, threads, should_stop):
                    break
        return total

    def _work_off(
        self, events: Sequence[EventRow], threads: ThreadPoolExecutor, should_stop: Callable[[], bool]
    ) -> bool:
        """Ask once for each thing; whether everything is to wait."""
        handled: list[dict[str, object]] = []
        later: list[_Later] = []
        left: list[EventRow] = []
        applied: list[tuple[EventRow, Applied]] = []
        pointed: list[tuple[EventRow, Pointer]] = []
        for event in events:
            try:
                found = pointers.pointer(event)
            except MalformedEventError as error:
                later.append(_Later([event], error))
                continue
            if found is None:
                handled.append(_handled(event, PASSED_OVER))
            else:
                pointed.append((event, found))
        questions = pointers.together(pointed)
        for question in self._answered(questions):
            handled += [_handled(event, Outcome.ALREADY) for event in questions.pop(question)]

        def ask(question: Pointer) -> Applied | Exception | None:
            return None if should_stop() else self._ask(question, questions[question])

        for question, answer in zip(questions, threads.map(ask, questions), strict=True):
            asked_for = questions[question]
            if answer is None:
                left += asked_for
            elif isinstance(answer, Applied):
                applied += [(event, answer) for event in asked_for]
            else:
                later.append(_Later(asked_for, answer))
        handled += [_handled(event, answer.outcome) for event, answer in applied]
        return self._write_down(handled, later, left, applied)

    def _answered(self, questions: Mapping[Pointer, Sequence[EventRow]]) -> list[Pointer]:
        """Those that need not be put, for all that their events tell is known."""
        with self.sessions() as session:
            payments = {event.payment_id for events in questions.values() for event in events}
            asked_for = {question.id for question in questions}
            known = stripe_inbox.known(session, [each for each in payments | asked_for if each])
        return [
            question
            for question, events in questions.items()
            if not any(pointers.is_news(event, question, known) for event in events)
        ]

    def _ask(self, question: Pointer, events: Sequence[EventRow]) -> Applied | Exception:
        pushed = any(event.learned == "PUSHED" for event in events)
        learned = Learned.WEBHOOK if pushed else Learned.POLL
        try:
            match question.thing:
                case Thing.CHECKOUT:
                    return self.cashier.checkout(question.id, learned)
                case Thing.PAYMENT:
                    return self.cashier.payment(question.id, learned)
                case Thing.DISPUTE:
                    return self.cashier.dispute(question.id, learned)
        except Exception as error:  # noqa: BLE001 - written down with the event, which is parked if it stays so
            return error

    def _write_down(
        self,
        handled: Sequence[dict[str, object]],
        later: Sequence[_Later],
        left: Sequence[EventRow],
        applied: Sequence[tuple[EventRow, Applied]],
    ) -> bool:
        now = self.clock()
        waits = [until for each in later if (until := _wait(each.error, now)) is not None]
        until = max(waits, default=None)
        rows = [self._row(event, each.error, now, until) for each in later for event in each.events]
        rows += [_unchanged(event, now) for event in left]
        with self.sessions.begin() as session:
            stripe_inbox.mark_handled(session, json_rows.dumps(handled), now)
            stripe_inbox.later(session, json_rows.dumps(rows), now)
            if until is not None:
                stripe_inbox.wait(session, until)
            witness.tell(session, _moments, applied, now)
        return until is not None

    def _row(
        self, event: EventRow, error: Exception, now: datetime, until: datetime | None
    ) -> dict[str, object]:
        if until is not None and isinstance(error, Misconfigured | RateLimited):
            return _unchanged(event, until) | {"error": error.code}
        tries = event.tries + 1
        park = tries >= PARK_AFTER or isinstance(error, MalformedEventError)
        pause = min(PAUSE_MOST, PAUSE_FIRST * 2**event.tries)
        told = _told(error)
        log.log(
            logging.ERROR if park else logging.WARNING,
            "event %s could not be worked off: %s%s",
            event.callback_id,
            told,
            "; parked" if park else "",
            extra={"callback_id": event.callback_id},
        )
        return {
            "callback_id": event.callback_id,
            "due_at": now + pause * (0.5 + self.jitter() / 2),
            "tries": tries,
            "error": told,
            "park": park,
        }


def _moments(applied: Sequence[tuple[EventRow, Applied]], now: datetime) -> Iterator[Moment]:
    """From an event's arrival to what became of it, in the trace of its order."""
    for event, answer in applied:
        if answer.order_id is not None:
            about = {
                "order_id": answer.order_id,
                "callback_id": event.callback_id,
                "learned": event.learned,
                "outcome": answer.outcome,
            }
            told = f"payment {event.callback_id}"
            yield Moment("payment", answer.order_id, told, None, event.received_at, now, about)


def _wait(error: Exception, now: datetime) -> datetime | None:
    """Until when nobody need ask Stripe for anything."""
    match error:
        case Misconfigured():
            log.error("Stripe refuses the key (%s); everything waits for a minute", error.code)
            return now + REFUSED_FOR
        case RateLimited():
            log.warning("Stripe takes no more for %.1f s (%s)", error.retry_after, error.code)
            return now + timedelta(seconds=error.retry_after)
        case _:
            return None


def _told(error: Exception) -> str:
    """What may be written down of an error: the database's own words may quote rows."""
    match error:
        case ProviderError():
            return error.code
        case MalformedEventError():
            return str(error)
        case _:
            return type(error).__name__


def _handled(event: EventRow, outcome: str) -> dict[str, object]:
    return {"callback_id": event.callback_id, "handled_as": outcome}


def _unchanged(event: EventRow, due_at: datetime) -> dict[str, object]:
    """Due at another time through no fault of its own."""
    return {"callback_id": event.callback_id, "due_at": due_at, "tries": event.tries, "park": False}
