"""What is sold, and the steps, fields and documents that it takes."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, JsonArray, PgEnum, Stamped, Touched


class Product(Base):
    """A service with its price, in the smallest unit of the currency."""

    __tablename__ = "products"

    id: Mapped[Id]
    code: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    dossier_type: Mapped[str] = mapped_column(PgEnum("dossier_type"))
    stripe_product_id: Mapped[str | None]
    stripe_price_id: Mapped[str | None]
    price_amount: Mapped[int]
    currency: Mapped[str] = mapped_column(server_default=FetchedValue())
    initial_status: Mapped[str] = mapped_column(PgEnum("dossier_status_code"), server_default=FetchedValue())
    active: Mapped[bool] = mapped_column(server_default=FetchedValue())
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class Step(Base):
    """A step that products may share."""

    __tablename__ = "steps"

    id: Mapped[Id]
    code: Mapped[str]
    label: Mapped[str]
    description: Mapped[str | None]
    position: Mapped[int]
    created_at: Mapped[Stamped]


class ProductStep(Base):
    """A step's place, counted from 0, in a product."""

    __tablename__ = "product_steps"

    id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    step_id: Mapped[UUID] = mapped_column(ForeignKey("steps.id"))
    position: Mapped[int]
    is_required: Mapped[bool] = mapped_column(server_default=FetchedValue())
    estimated_duration_hours: Mapped[int | None]
    created_at: Mapped[Stamped]


class StepField(Base):
    """A field of a step's form."""

    __tablename__ = "step_fields"

    id: Mapped[Id]
    step_id: Mapped[UUID] = mapped_column(ForeignKey("steps.id"))
    field_key: Mapped[str]
    label: Mapped[str]
    description: Mapped[str | None]
    placeholder: Mapped[str | None]
    field_type: Mapped[str]
    is_required: Mapped[bool] = mapped_column(server_default=FetchedValue())
    min_length: Mapped[int | None]
    max_length: Mapped[int | None]
    min_value: Mapped[Decimal | None]
    max_value: Mapped[Decimal | None]
    pattern: Mapped[str | None]
    options: Mapped[JsonArray | None]
    help_text: Mapped[str | None]
    default_value: Mapped[str | None]
    position: Mapped[int]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class DocumentType(Base):
    """A kind of document, and the step that cannot end without one approved."""

    __tablename__ = "document_types"

    id: Mapped[Id]
    code: Mapped[str]
    label: Mapped[str]
    description: Mapped[str | None]
    required_step_id: Mapped[UUID | None] = mapped_column(ForeignKey("steps.id"))
    max_file_size_mb: Mapped[int | None] = mapped_column(server_default=FetchedValue())
    allowed_extensions: Mapped[list[str] | None] = mapped_column(server_default=FetchedValue())
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]
