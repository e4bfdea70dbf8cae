"""A client's case, its way through the steps, and what is said about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigInt, Id, JsonArray, JsonObject, PgEnum, Stamped, Touched


class Dossier(Base):
    """A client's case file."""

    __tablename__ = "dossiers"

    id: Mapped[Id]
    # Some live databases still allow a dossier without a client, as the platform's first schema did.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("profiles.id"))
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id"))
    type: Mapped[str] = mapped_column(PgEnum("dossier_type"))
    status: Mapped[str] = mapped_column(PgEnum("dossier_status_code"))
    current_step_instance_id: Mapped[UUID | None] = mapped_column(ForeignKey("step_instances.id"))
    metadata_: Mapped[JsonObject | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]
    completed_at: Mapped[datetime | None]


class StepInstance(Base):
    """A step of one dossier."""

    __tablename__ = "step_instances"

    id: Mapped[Id]
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id"))
    step_id: Mapped[UUID] = mapped_column(ForeignKey("steps.id"))
    assigned_to: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]
    metadata_: Mapped[JsonObject | None] = mapped_column("metadata")


class StepFieldValue(Base):
    """What was filled into a field of a dossier's step."""

    __tablename__ = "step_field_values"

    id: Mapped[Id]
    step_instance_id: Mapped[UUID] = mapped_column(ForeignKey("step_instances.id"))
    step_field_id: Mapped[UUID] = mapped_column(ForeignKey("step_fields.id"))
    value: Mapped[str | None]
    value_jsonb: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    file_url: Mapped[str | None]
    file_name: Mapped[str | None]
    file_size_bytes: Mapped[BigInt | None]
    created_by_type: Mapped[str] = mapped_column(PgEnum("actor_type"))
    created_by_id: Mapped[UUID]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class DossierStatusHistory(Base):
    """A change of a dossier's status, written by a trigger."""

    __tablename__ = "dossier_status_history"

    id: Mapped[Id]
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id"))
    old_status: Mapped[str | None] = mapped_column(PgEnum("dossier_status_code"))
    new_status: Mapped[str] = mapped_column(PgEnum("dossier_status_code"))
    changed_by_type: Mapped[str | None] = mapped_column(PgEnum("actor_type"))
    changed_by_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    metadata_: Mapped[JsonObject | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]


class Message(Base):
    """A message between a client and an agent."""

    __tablename__ = "messages"

    id: Mapped[Id]
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id"))
    sender_type: Mapped[str] = mapped_column(PgEnum("actor_type"))
    sender_id: Mapped[UUID]
    content: Mapped[str]
    attachments: Mapped[JsonArray | None]
    read_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]
