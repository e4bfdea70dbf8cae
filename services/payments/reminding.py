"""Reminders of unpaid orders: found and claimed once a day, worked off one by one, sent by hand."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import reminder_queue, reminders
from services.payments import postponing
from services.payments.by_hand import ByHand, Considered
from services.payments.cancelling import Cancelling
from services.payments.ladder import terms
from services.payments.sending import Result, Sending, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.interventions import By
    from db.queries.reminder_queue import ClaimedReminder
    from db.queries.reminders import DueReminder
    from services.payments.checkouts import Checkouts
    from services.payments.ladder import ReminderPolicy

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE: Final = 5000
"""A statement reads all the suspended, however few it claims."""

BATCH: Final = 32
SIDE_BY_SIDE: Final = 8
LEASE: Final = timedelta(minutes=5)
"""Longer than what a batch asks of Stripe takes one after the other in each thread, with the timeouts."""


@dataclass(frozen=True, slots=True)
class Reminded:
    """What became of a reminder that a person has asked for.

    Attributes:
        considered: The reminder.
        result: SENT or SKIPPED; None where it is claimed, and sent as soon as that is possible.
        detail: Why, where it was not sent.
    """

    considered: Considered
    result: Result | None
    detail: str = ""


@dataclass(frozen=True)
class Reminders:
    """Reminds of unpaid orders. Each call may run twice, late, or side by side with another, without harm.

    Attributes:
        sessions: Makes sessions.
        checkouts: Keeps orders payable.
        clock: Gives the time, aware, UTC.
        policy: How often, and when it ends.
        public_url: Where people reach the ingress: the links of reminders lead there.
        jitter: Gives a number in [0, 1).
    """

    sessions: sessionmaker[Session]
    checkouts: Checkouts
    clock: Callable[[], datetime]
    policy: ReminderPolicy
    public_url: str
    jitter: Callable[[], float] = random

    @property
    def sending(self) -> Sending:
        """What sends one."""
        return Sending(self.sessions, self.checkouts, self.clock, self.public_url)

    def claim(self, should_stop: Callable[[], bool]) -> int:
        """Claim what is due, until nothing is left or ``should_stop`` says so; return how many."""
        total = 0
        while not should_stop():
            with self.sessions.begin() as session:
                claimed = reminders.claim(session, terms(self.policy, self.clock()), CLAIMED_AT_ONCE)
            total += claimed
            if claimed < CLAIMED_AT_ONCE:
                break
        if total:
            log.info("%d reminders claimed", total)
        return total

    def preview(self, limit: int = 1000) -> list[DueReminder]:
        """What ``claim`` would claim at this moment, up to a number."""
        with self.sessions() as session:
            return reminders.preview(session, terms(self.policy, self.clock()), limit)

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Send what is claimed, until nothing is due, Stripe lets nobody in, or ``should_stop`` says so.

        Returns:
            How many were taken up.
        """
        total = 0
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="reminders") as threads:
            while not should_stop():
                with self.sessions.begin() as session:
                    now = self.clock()
                    claimed = reminder_queue.lease(session, BATCH, now, now + LEASE)
                if not claimed:
                    break
                total += len(claimed)
                if self._work_off(claimed, threads, should_stop):
                    break
        return total

    def consider(
        self, order_id: UUID | None = None, user_id: UUID | None = None, *, force: bool = False
    ) -> Considered:
        """What ``remind`` would send; see ``ByHand.consider``."""
        return self._by_hand.consider(order_id, user_id, force=force)

    def remind(
        self, by: By, order_id: UUID | None = None, user_id: UUID | None = None, *, force: bool = False
    ) -> Reminded:
        """Remind of one order now, because a person wants it.

        Args:
            by: Who, and why.
            order_id: Of which order.
            user_id: Or of the oldest one of this person that may be reminded of.
            force: Whether to do it whatever the rules say. What waits for no payment is not reminded of.

        Raises:
            RefusedError: It is not called for, or not possible; nothing was done.
        """
        considered, claimed = self._by_hand.claim(order_id, user_id, by, force=force)
        answer = self._try(self.sending, claimed)
        self._put_off([(claimed, answer)])
        match answer:
            case Sent(Result.SENT):
                return Reminded(considered, Result.SENT)
            case Sent(Result.SKIPPED):
                return Reminded(considered, Result.SKIPPED, answer.reason or "")
            case Sent():
                return Reminded(considered, None)
            case _:
                return Reminded(considered, None, postponing.told(answer))

    @property
    def _by_hand(self) -> ByHand:
        return ByHand(self.sessions, self.clock, self.policy)

    def cancel_exhausted(self, should_stop: Callable[[], bool]) -> int:
        """Cancel the orders whose ladder has come to its end without a payment; return how many."""
        return Cancelling(self.sessions, self.checkouts, self.clock, self.policy).run(should_stop)

    def _work_off(
        self,
        claimed: Sequence[ClaimedReminder],
        threads: ThreadPoolExecutor,
        should_stop: Callable[[], bool],
    ) -> bool:
        """Send some; whether everything is to wait."""
        sending = self.sending

        def send(one: ClaimedReminder) -> Sent | Exception | None:
            return None if should_stop() else self._try(sending, one)

        return self._put_off(list(zip(claimed, threads.map(send, claimed), strict=True)))

    @staticmethod
    def _try(sending: Sending, one: ClaimedReminder) -> Sent | Exception:
        try:
            return sending.send(one)
        except Exception as error:  # noqa: BLE001 - written down with the reminder, which is parked if it stays so
            return error

    def _put_off(self, answers: Sequence[tuple[ClaimedReminder, Sent | Exception | None]]) -> bool:
        """Write down what is to be tried later; whether everything is to wait."""
        now = self.clock()
        until = postponing.wait((answer for _, answer in answers), now)
        rows = [
            row
            for one, answer in answers
            if (row := postponing.later(one, answer, now, until, self.jitter)) is not None
        ]
        with self.sessions.begin() as session:
            reminder_queue.later(session, json_rows.dumps(rows), now)
            if until is not None:
                reminder_queue.wait(session, until)
        return until is not None
