"""Sends one reminder: asks Stripe again, makes a fresh session, has the person told; or says why not."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.models.enums import OrderStatus
from db.queries import notices, reminder_queue
from services.payments.checkouts import ENOUGH, LIFE, Named, Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.orders_to_pay import OrderToPay
    from db.queries.reminder_queue import ClaimedReminder
    from providers.payments import Checkout
    from services.payments.checkouts import Checkouts

log = logging.getLogger(__name__)

TEMPLATE: Final = "REMINDER"
PATH: Final = "/r"
"""Below the public URL; a slash and the token follow."""

_TOKEN_BYTES: Final = 16
_PARAMETERS_HOLD: Final = LIFE - ENOUGH
"""So long a try asks for the session that the first one has asked for; then it would be too short."""


class Result(StrEnum):
    """What became of a reminder."""

    SENT = "SENT"
    SKIPPED = "SKIPPED"
    MOVED = "MOVED"
    """Somebody else has just changed the order's session: try again."""
    GONE = "GONE"
    """Somebody else has sent it."""


class Reason(StrEnum):
    """Why a claimed reminder was not sent, as in ``fleet.reminders``."""

    PAID = "paid"
    UNDER_WAY = "payment under way"
    NOT_PENDING = "order not pending"
    NOT_SUSPENDED = "person not suspended"
    INACTIVE = "product not active"
    NO_ORDER = "no order"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a reminder, and why it was not sent."""

    result: Result
    reason: Reason | None = None


@dataclass(frozen=True)
class Sending:
    """Sends reminders. Each step may be the last one of a process, and be done again by another.

    Attributes:
        sessions: Makes sessions.
        checkouts: Keeps orders payable.
        clock: Gives the time, aware, UTC.
        public_url: Where people reach the ingress.
    """

    sessions: sessionmaker[Session]
    checkouts: Checkouts
    clock: Callable[[], datetime]
    public_url: str

    def send(self, claimed: ClaimedReminder) -> Sent:
        """Send a reminder that this caller has leased, unless it is not called for any more.

        Raises:
            ProviderError: Stripe does not answer; to send it again is harmless.
        """
        before = self.checkouts.read(claimed.order_id)
        found = self.checkouts.look(before) if before is not None else None
        order = self.checkouts.read(claimed.order_id)
        if before is None or order is None:
            return self._skip(claimed, Reason.NO_ORDER)
        # Read after the order: who has sent it since then has left the order as it was read.
        if not self._is_mine(claimed):
            return Sent(Result.GONE)
        reason = _reason(order, claimed)
        if reason is not None:
            return self._skip(claimed, reason)
        if order.session_id != before.session_id:
            return Sent(Result.MOVED)
        place = self.checkouts.wind_up(order, found)
        if place is not Place.CLOSED:
            return self._skip(claimed, Reason.PAID if place is Place.PAID else Reason.UNDER_WAY)
        keys = [f"reminder:{order.order_id}:{claimed.number}:{again}" for again in range(claimed.tries + 1)]
        fresh = self.checkouts.fresh(order, keys, _closes_at(claimed.claimed_at, self.clock()))
        return self._finish(claimed, order, fresh)

    def _finish(self, claimed: ClaimedReminder, order: OrderToPay, fresh: Checkout) -> Sent:
        with self.sessions.begin() as session:
            named = self.checkouts.name(session, order, claimed.number, fresh)
            if named is Named.DONE and reminder_queue.lock(session, claimed.order_id, claimed.number):
                self._tell(session, claimed, order, fresh)
                log.info("order %s: reminder %d is sent", claimed.order_id, claimed.number)
                return Sent(Result.SENT)
            session.rollback()
        if named is not Named.OVER:
            return Sent(Result.MOVED if named is Named.MOVED else Result.GONE)
        self.checkouts.close(fresh.session_id)
        over = self.checkouts.read(claimed.order_id)
        reason = _reason(over, claimed) if over is not None else Reason.NO_ORDER
        return self._skip(claimed, reason or Reason.PAID)

    def _tell(self, session: Session, claimed: ClaimedReminder, order: OrderToPay, fresh: Checkout) -> None:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        key = f"reminder:{claimed.order_id}:{claimed.number}"
        notice = {
            "notice_key": key,
            "user_id": order.user_id,
            "template_code": TEMPLATE,
            "order_id": order.order_id,
            "dossier_id": None,
            "payload": {
                "number": claimed.number,
                "last": claimed.last,
                "amount": order.amount,
                "currency": order.currency,
                "product": order.product,
            },
            "action_url": f"{self.public_url.rstrip('/')}{PATH}/{token}",
        }
        notices.put(session, json_rows.dumps([notice]))
        reminder_queue.sent(
            session, claimed.order_id, claimed.number, fresh.session_id, token, key, self.clock()
        )

    def _is_mine(self, claimed: ClaimedReminder) -> bool:
        with self.sessions.begin() as session:
            return reminder_queue.lock(session, claimed.order_id, claimed.number)

    def _skip(self, claimed: ClaimedReminder, reason: Reason) -> Sent:
        with self.sessions.begin() as session:
            reminder_queue.skip(session, claimed.order_id, claimed.number, reason)
        log.info("order %s: reminder %d is not sent: %s", claimed.order_id, claimed.number, reason)
        return Sent(Result.SKIPPED, reason)


def _reason(order: OrderToPay, claimed: ClaimedReminder) -> Reason | None:
    """Why the order is not to be reminded of any more."""
    if order.status != OrderStatus.PENDING:
        return Reason.PAID if order.status == OrderStatus.PAID else Reason.NOT_PENDING
    if claimed.forced:
        return None
    if not order.suspended:
        return Reason.NOT_SUSPENDED
    return None if order.active else Reason.INACTIVE


def _closes_at(claimed_at: datetime, now: datetime) -> datetime:
    """When the session of a reminder closes: the same moment for each try, until that comes too near."""
    begun = claimed_at + max(0, (now - claimed_at) // _PARAMETERS_HOLD) * _PARAMETERS_HOLD
    return begun.replace(microsecond=0) + LIFE
