"""The fleet's own tables, in a schema that the platform's HTTP API does not expose."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, Stamped

_FLEET = {"schema": "fleet"}


class OutboxRow(Base):
    """An event that is to be fanned out."""

    __tablename__ = "outbox"
    __table_args__ = _FLEET

    event_id: Mapped[Id]
    enqueued_at: Mapped[Stamped]
    due_at: Mapped[Stamped]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    parked_at: Mapped[datetime | None]


class Fanout(Base):
    """What became of an event."""

    __tablename__ = "fanouts"
    __table_args__ = _FLEET

    event_id: Mapped[Id]
    fanned_out_at: Mapped[Stamped]
    outcome: Mapped[str]
    reason: Mapped[str | None]


class AnnouncementRow(Base):
    """Who has told a person of an event in a template's words, and with which notification."""

    __tablename__ = "announcements"
    __table_args__ = _FLEET

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    template_code: Mapped[str] = mapped_column(primary_key=True)
    notification_id: Mapped[UUID]
    announced_by: Mapped[str]


class DeliveryPlace(Base):
    """Which delivery is a notification's on a channel."""

    __tablename__ = "delivery_places"
    __table_args__ = _FLEET

    notification_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID]


class DispatchRow(Base):
    """A delivery that has not had its last word."""

    __tablename__ = "dispatch"
    __table_args__ = _FLEET

    delivery_id: Mapped[Id]
    channel: Mapped[str]
    enqueued_at: Mapped[Stamped]
    due_at: Mapped[Stamped]
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_code: Mapped[str | None]
    parked_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at one delivery; open while its outcome is unknown."""

    __tablename__ = "attempts"
    __table_args__ = _FLEET

    token: Mapped[Id]
    delivery_id: Mapped[UUID]
    number: Mapped[int]
    channel: Mapped[str]
    provider: Mapped[str]
    opened_at: Mapped[Stamped]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    evidence: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str | None]
    provider_message_id: Mapped[str | None]


class ChannelPause(Base):
    """A channel that is not worked off for now."""

    __tablename__ = "channels"
    __table_args__ = _FLEET

    channel: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    detail: Mapped[str]
    paused_at: Mapped[Stamped]
    paused_until: Mapped[datetime]
    strikes: Mapped[int] = mapped_column(server_default="1")


class InboxRow(Base):
    """One callback of a provider, raw."""

    __tablename__ = "inbox"
    __table_args__ = _FLEET

    provider: Mapped[str] = mapped_column(primary_key=True)
    callback_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[Stamped]
    body: Mapped[dict[str, Any]]
    due_at: Mapped[Stamped]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    handled_at: Mapped[datetime | None]
    handled_as: Mapped[str | None]
    parked_at: Mapped[datetime | None]
