"""Clients and agents."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Id, PgEnum, Stamped, Touched


class AuthUser(Base):
    """A user of Supabase Auth, of whose many columns these are read. The only place of an e-mail address."""

    __tablename__ = "users"
    __table_args__ = {"schema": "auth"}  # noqa: RUF012  # SQLAlchemy's own declaration

    id: Mapped[Id]
    email: Mapped[str | None]


class Profile(Base):
    """A client, under the id of the auth user."""

    __tablename__ = "profiles"

    id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id"), primary_key=True)
    full_name: Mapped[str | None]
    phone: Mapped[str | None]
    status: Mapped[str] = mapped_column(PgEnum("user_status"), server_default=FetchedValue())
    stripe_customer_id: Mapped[str | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]


class Agent(Base):
    """An employee who works on dossiers."""

    __tablename__ = "agents"

    id: Mapped[Id]
    email: Mapped[str]
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=FetchedValue())
    created_at: Mapped[Stamped]
    updated_at: Mapped[Touched]
