"""Payment links, orders and reminders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, JsonObject, PgEnum, Stamped, Touched


class PaymentLink(Base):
    """A link by which a prospect registers for a product; used once."""

    __tablename__ = "payment_links"

    id: Mapped[Id]
    token: Mapped[str]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    prospect_email: Mapped[str]
    prospect_name: Mapped[str | None]
    stripe_checkout_session_id: Mapped[str | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    used_by: Mapped[UUID | None] = mapped_column(ForeignKey("profiles.id"))
    created_at: Mapped[Stamped]


class Order(Base):
    """A purchase; the amount is in the smallest unit of the currency."""

    __tablename__ = "orders"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    payment_link_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_links.id"))
    dossier_id: Mapped[UUID | None] = mapped_column(ForeignKey("dossiers.id"))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(server_default=FetchedValue())
    status: Mapped[str] = mapped_column(PgEnum("order_status"), server_default=FetchedValue())
    stripe_checkout_session_id: Mapped[str | None]
    stripe_payment_intent_id: Mapped[str | None]
    stripe_customer_id: Mapped[str | None]
    metadata_: Mapped[JsonObject | None] = mapped_column("metadata")
    paid_at: Mapped[datetime | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class PaymentReminder(Base):
    """A reminder that went out for an unpaid order."""

    __tablename__ = "payment_reminders"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    sent_via: Mapped[str] = mapped_column(PgEnum("notification_channel"))
    sent_at: Mapped[Stamped]
    clicked_at: Mapped[datetime | None]
