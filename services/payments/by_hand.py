"""A reminder that a person asks for: by the rules, or against them, which is then recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.models.enums import OrderStatus
from db.queries import interventions, reminder_history, reminders
from db.queries.reminder_queue import ClaimedReminder
from services.payments.objections import NEVER, Objection, Refusal, objections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.interventions import By
    from db.queries.reminder_history import History
    from services.payments.ladder import ReminderPolicy

HELD: Final = timedelta(minutes=5)
"""So long whoever has asked for it may take to send it; then a worker does."""


class RefusedError(Exception):
    """A reminder that is not sent; the text says why.

    Attributes:
        refusals: The reasons, the gravest first.
        forcible: Whether it can be forced.
    """

    def __init__(self, order_id: UUID | None, found: Sequence[Objection]) -> None:
        which = f"Order {order_id}" if order_id is not None else "It"
        super().__init__(f"{which} is not reminded of: {'; '.join(each.words for each in found)}.")
        self.refusals = tuple(each.refusal for each in found)
        self.forcible = not NEVER.intersection(self.refusals)


@dataclass(frozen=True, slots=True)
class Considered:
    """A reminder that would be sent.

    Attributes:
        order_id: Of which order.
        user_id: To whom.
        product: What was ordered.
        amount: In the smallest unit of the currency.
        currency: As the platform writes it.
        number: Which of the order it would be, counted from 1.
        last: Whether none would follow.
        forced: What the rules have against it.
    """

    order_id: UUID
    user_id: UUID
    product: str
    amount: int
    currency: str
    number: int
    last: bool
    forced: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class ByHand:
    """Considers one order, and claims a reminder of it.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        policy: How often, and when it ends.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    policy: ReminderPolicy

    def consider(self, order_id: UUID | None, user_id: UUID | None, *, force: bool) -> Considered:
        """What would be sent now.

        Args:
            order_id: Of which order.
            user_id: Or of the oldest one of this person that may be reminded of.
            force: Whether to do it whatever the rules say.

        Raises:
            RefusedError: It is not called for, or not possible.
        """
        with self.sessions() as session:
            return self._consider(session, order_id, user_id, force=force)

    def claim(
        self, order_id: UUID | None, user_id: UUID | None, by: By, *, force: bool
    ) -> tuple[Considered, ClaimedReminder]:
        """Claim it, leased to this caller; arguments and errors as for ``consider``."""
        with self.sessions.begin() as session:
            reminders.one_at_a_time(session)
            new = self._consider(session, order_id, user_id, force=force)
            now = self.clock()
            forced = by if new.forced else None
            reminders.put(session, new.order_id, new.number, now, now + HELD, last=new.last, forced=forced)
            details = {"number": new.number, "forced": [*new.forced]}
            interventions.record(session, by, "remind", details, [new.order_id])
        return new, ClaimedReminder(new.order_id, new.number, new.last, now, forced=forced is not None)

    def _consider(
        self, session: Session, order_id: UUID | None, user_id: UUID | None, *, force: bool
    ) -> Considered:
        if order_id is not None:
            one = reminder_history.of_order(session, order_id)
            known = [one] if one is not None else []
        else:
            known = reminder_history.of_person(session, user_id) if user_id is not None else []
        if not known:
            what = "there is no such order" if order_id is not None else "the person has no order"
            raise RefusedError(order_id, [Objection(Refusal.UNKNOWN, what)])
        now = self.clock()
        judged = [(each, tuple(objections(each, self.policy, now))) for each in known]
        history, found = min(judged, key=_preference)
        refusals = tuple(each.refusal for each in found)
        if refusals and (not force or NEVER.intersection(refusals)):
            raise RefusedError(history.order_id, found)
        return Considered(
            order_id=history.order_id,
            user_id=history.user_id,
            product=history.product,
            amount=history.amount,
            currency=history.currency,
            number=history.number,
            last=self.policy.ends_with(history.product_code, history.number),
            forced=refusals,
        )


def _preference(judged: tuple[History, Sequence[Objection]]) -> tuple[bool, bool, datetime]:
    """Of several orders: one that nothing speaks against, else one that waits to be paid; then the oldest."""
    history, found = judged
    return bool(found), history.status != OrderStatus.PENDING, history.created_at
