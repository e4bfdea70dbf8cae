"""What a client hands in, each version of it, and what an agent said."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigInt, Id, PgEnum, Stamped, Touched


class Document(Base):
    """A document of a dossier."""

    __tablename__ = "documents"

    id: Mapped[Id]
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id"))
    document_type_id: Mapped[UUID] = mapped_column(ForeignKey("document_types.id"))
    step_instance_id: Mapped[UUID | None] = mapped_column(ForeignKey("step_instances.id"))
    status: Mapped[str] = mapped_column(PgEnum("document_status"), server_default=FetchedValue())
    current_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("document_versions.id"))
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class DocumentVersion(Base):
    """An uploaded file; versions of a document count from 1."""

    __tablename__ = "document_versions"

    id: Mapped[Id]
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"))
    file_url: Mapped[str]
    file_name: Mapped[str | None]
    file_size_bytes: Mapped[BigInt | None]
    mime_type: Mapped[str | None]
    uploaded_by_type: Mapped[str] = mapped_column(PgEnum("actor_type"))
    uploaded_by_id: Mapped[UUID]
    version_number: Mapped[int] = mapped_column(server_default=FetchedValue())
    uploaded_at: Mapped[Stamped]


class DocumentReview(Base):
    """An agent's word on a version."""

    __tablename__ = "document_reviews"

    id: Mapped[Id]
    document_version_id: Mapped[UUID] = mapped_column(ForeignKey("document_versions.id"))
    reviewer_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id"))
    status: Mapped[str] = mapped_column(PgEnum("review_status"))
    reason: Mapped[str | None]
    notes: Mapped[str | None]
    reviewed_at: Mapped[Stamped]
