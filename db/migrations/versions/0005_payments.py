"""Payments settled and reconciled, dossiers that advance, notices without an event, letters to prospects."""

from __future__ import annotations

from db.migrations import files

revision = "0005_payments"
down_revision = "0004_people"


def upgrade() -> None:
    """Add the tables, and a trigger on documents."""
    files.run("fleet_payments")


def downgrade() -> None:
    """Drop them; what was settled stays settled in the platform's tables."""
    files.run("fleet_payments/undo")
