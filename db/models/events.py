"""What happened, and who is told of it on which channel."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, JsonObject, PgEnum, Stamped


class Event(Base):
    """Something that happened to an entity. Never changed, never deleted."""

    __tablename__ = "events"

    id: Mapped[Id]
    entity_type: Mapped[str]
    entity_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(PgEnum("event_type"))
    actor_type: Mapped[str | None] = mapped_column(PgEnum("actor_type"))
    actor_id: Mapped[UUID | None]
    payload: Mapped[JsonObject | None]
    created_at: Mapped[Stamped]


class Notification(Base):
    """What one person is told; the row itself is what the platform's site shows."""

    __tablename__ = "notifications"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id"))
    dossier_id: Mapped[UUID | None] = mapped_column(ForeignKey("dossiers.id"))
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey("events.id"))
    title: Mapped[str]
    message: Mapped[str]
    template_code: Mapped[str | None]
    payload: Mapped[JsonObject | None]
    action_url: Mapped[str | None]
    read_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]


class NotificationDelivery(Base):
    """A notification's way over one channel."""

    __tablename__ = "notification_deliveries"

    id: Mapped[Id]
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id"))
    channel: Mapped[str] = mapped_column(PgEnum("notification_channel"))
    recipient: Mapped[str]
    status: Mapped[str] = mapped_column(PgEnum("notification_status"), server_default=FetchedValue())
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    provider_response: Mapped[JsonObject | None]
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]
