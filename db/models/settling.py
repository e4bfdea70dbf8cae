"""The fleet's own tables of payments, and of what follows from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, Stamped

_FLEET = {"schema": "fleet"}


class Settlement(Base):
    """An order whose payment was settled, once."""

    __tablename__ = "settlements"
    __table_args__ = _FLEET

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[str | None]
    payment_intent_id: Mapped[str | None]
    dossier_id: Mapped[UUID | None]
    amount: Mapped[int]
    currency: Mapped[str]
    learned: Mapped[str]
    settled_at: Mapped[Stamped]


class PaymentRow(Base):
    """What Stripe has said of a payment of an order; amounts in the smallest unit of the currency."""

    __tablename__ = "payments"
    __table_args__ = _FLEET

    payment_intent_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    session_id: Mapped[str | None]
    status: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    refunded: Mapped[int] = mapped_column(server_default="0")
    disputed: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class PaymentFailure(Base):
    """A payment that failed, told once."""

    __tablename__ = "payment_failures"
    __table_args__ = _FLEET

    failure_key: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    code: Mapped[str | None]
    failed_at: Mapped[datetime]


class Finding(Base):
    """What does not agree between the platform and Stripe, and what was done about it."""

    __tablename__ = "findings"
    __table_args__ = _FLEET

    id: Mapped[Id]
    kind: Mapped[str]
    subject: Mapped[str]
    order_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]
    done: Mapped[str]
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    note: Mapped[str | None]


class Sweep(Base):
    """How far a sweep of Stripe's lists has come."""

    __tablename__ = "sweeps"
    __table_args__ = _FLEET

    name: Mapped[str] = mapped_column(primary_key=True)
    swept_until: Mapped[datetime | None]
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    page_after: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    pages: Mapped[int] = mapped_column(server_default="0")
    finished_at: Mapped[datetime | None]


class SessionCheck(Base):
    """When a pending order's Checkout Session is to be looked at next; never, where that is null."""

    __tablename__ = "session_checks"
    __table_args__ = _FLEET

    session_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    checks: Mapped[int] = mapped_column(server_default="0")
    last_state: Mapped[str | None]


class Notice(Base):
    """Something to tell a person that no event of the platform's stands for."""

    __tablename__ = "notices"
    __table_args__ = _FLEET

    id: Mapped[Id]
    notice_key: Mapped[str]
    user_id: Mapped[UUID]
    template_code: Mapped[str]
    order_id: Mapped[UUID | None]
    dossier_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]]
    action_url: Mapped[str | None]
    enqueued_at: Mapped[Stamped]
    due_at: Mapped[Stamped]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    parked_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    notification_id: Mapped[UUID | None]


class Advance(Base):
    """A dossier to look at: does its current step end?"""

    __tablename__ = "advances"
    __table_args__ = _FLEET

    dossier_id: Mapped[UUID] = mapped_column(primary_key=True)
    enqueued_at: Mapped[Stamped]
    due_at: Mapped[Stamped]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    parked_at: Mapped[datetime | None]


class StepCompletion(Base):
    """A step that the fleet has ended, once."""

    __tablename__ = "step_completions"
    __table_args__ = _FLEET

    step_instance_id: Mapped[UUID] = mapped_column(primary_key=True)
    dossier_id: Mapped[UUID]
    completed_at: Mapped[datetime]


class Letter(Base):
    """An e-mail to somebody who has no account yet: a delivery without a notification."""

    __tablename__ = "letters"
    __table_args__ = _FLEET

    channel: ClassVar[str] = "EMAIL"
    id: Mapped[Id]
    payment_link_id: Mapped[UUID]
    template_code: Mapped[str]
    recipient: Mapped[str]
    recipient_name: Mapped[str | None]
    locale: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    action_url: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="PENDING")
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    provider_response: Mapped[dict[str, Any] | None]
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]
