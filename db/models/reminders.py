"""The fleet's own tables of payment reminders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_FLEET = {"schema": "fleet"}


class Reminder(Base):
    """A reminder of an unpaid order, by its number, counted from 1."""

    __tablename__ = "reminders"
    __table_args__ = _FLEET

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    last: Mapped[bool] = mapped_column(server_default="false")
    claimed_at: Mapped[datetime]
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    parked_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(server_default="CLAIMED")
    reason: Mapped[str | None]
    session_id: Mapped[str | None]
    notice_id: Mapped[UUID | None]
    token: Mapped[str | None]
    amount: Mapped[int]
    currency: Mapped[str]
    forced_by: Mapped[str | None]
    forced_why: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    clicked_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]


class ReminderSession(Base):
    """A Checkout Session that the fleet has made for a reminder."""

    __tablename__ = "reminder_sessions"
    __table_args__ = _FLEET

    session_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    number: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Cancellation(Base):
    """An order that was given up after its last reminder."""

    __tablename__ = "cancellations"
    __table_args__ = _FLEET

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    reminders: Mapped[int]
    cancelled_at: Mapped[datetime]
