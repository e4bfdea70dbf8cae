"""The fleet's own tables, in a schema that the platform's HTTP API does not expose."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import SmallInteger
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
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="2")
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
    segments: Mapped[int | None]
    price: Mapped[Decimal | None]
    price_unit: Mapped[str | None]


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


class ReceiptRow(Base):
    """What a provider has said of one attempt's message, each thing at its first time."""

    __tablename__ = "receipts"
    __table_args__ = _FLEET

    token: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID]
    state: Mapped[str]
    deferred_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    clicked_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    bounced_at: Mapped[datetime | None]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    updated_at: Mapped[Stamped]


class Lookup(Base):
    """A question to put to a provider later: what became of a message, or whether it exists."""

    __tablename__ = "lookups"
    __table_args__ = _FLEET

    token: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]


class FallbackRow(Base):
    """One channel gave way to another for a notification, once, and why."""

    __tablename__ = "fallbacks"
    __table_args__ = _FLEET

    notification_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_channel: Mapped[str] = mapped_column(primary_key=True)
    to_channel: Mapped[str]
    from_delivery_id: Mapped[UUID | None]
    to_delivery_id: Mapped[UUID | None]
    user_id: Mapped[UUID]
    reason: Mapped[str]
    code: Mapped[str | None]
    decided_at: Mapped[Stamped]


class Conversation(Base):
    """When a number last wrote to us."""

    __tablename__ = "conversations"
    __table_args__ = _FLEET

    channel: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    last_inbound_at: Mapped[datetime]


class UnseenCode(Base):
    """A provider's code that no table of codes lists."""

    __tablename__ = "unseen_codes"
    __table_args__ = _FLEET

    provider: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    taken_as: Mapped[str]
    seen: Mapped[int] = mapped_column(server_default="1")
    first_seen: Mapped[Stamped]
    last_seen: Mapped[Stamped]
    last_token: Mapped[UUID | None]


class Intervention(Base):
    """What a person did by hand, and why."""

    __tablename__ = "interventions"
    __table_args__ = _FLEET

    id: Mapped[Id]
    at: Mapped[Stamped]
    who: Mapped[str]
    action: Mapped[str]
    why: Mapped[str]
    subject: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]


class Preference(Base):
    """What a person has said about being written to."""

    __tablename__ = "preferences"
    __table_args__ = _FLEET

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    locale: Mapped[str | None]
    time_zone: Mapped[str | None]
    prefers_sms: Mapped[bool] = mapped_column(server_default="false")
    refused_channels: Mapped[list[str]] = mapped_column(server_default="{}")
    opted_out: Mapped[list[str]] = mapped_column(server_default="{}")
    quiet_from: Mapped[time | None]
    quiet_to: Mapped[time | None]
    updated_at: Mapped[Stamped]


class Suppression(Base):
    """An address that is not to be written to."""

    __tablename__ = "suppressions"
    __table_args__ = _FLEET

    id: Mapped[Id]
    channel: Mapped[str]
    address: Mapped[str]
    reason: Mapped[str]
    source: Mapped[str]
    since: Mapped[Stamped]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    lifted_why: Mapped[str | None]


class Link(Base):
    """A link on the fleet's own domain."""

    __tablename__ = "links"
    __table_args__ = _FLEET

    token: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    target: Mapped[str]
    user_id: Mapped[UUID | None]
    notification_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    created_at: Mapped[Stamped]
    expires_at: Mapped[datetime]
    clicks: Mapped[int] = mapped_column(server_default="0")
    first_clicked_at: Mapped[datetime | None]
    last_clicked_at: Mapped[datetime | None]


class Erasure(Base):
    """What was erased of a person."""

    __tablename__ = "erasures"
    __table_args__ = _FLEET

    id: Mapped[Id]
    user_id: Mapped[UUID]
    at: Mapped[Stamped]
    who: Mapped[str]
    why: Mapped[str]
    redacted: Mapped[dict[str, Any]]
