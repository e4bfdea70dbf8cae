"""The timetable's last runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigInt


class Schedule(Base):
    """When an entry of the timetable last ran, how it ended, and who is at it."""

    __tablename__ = "schedule"
    __table_args__ = {"schema": "fleet"}  # noqa: RUF012  # declared by SQLAlchemy, which reads it from the class

    name: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    claim: Mapped[UUID | None]
    claimed_at: Mapped[datetime | None]
    run: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    took: Mapped[timedelta | None]
    result: Mapped[str | None]
    error: Mapped[str | None]
    runs: Mapped[BigInt] = mapped_column(server_default="0")
