"""What more channels need: receipts, look-ups, fallbacks, priorities, costs, and what is done by hand."""

from __future__ import annotations

from db.migrations import files

revision = "0003_channels"
down_revision = "0002_fleet"


def upgrade() -> None:
    """Add the tables, and the columns of those that are there; nothing of the platform's is touched."""
    files.run("fleet_channels")


def downgrade() -> None:
    """Drop them; what was recorded in them is gone."""
    files.run("fleet_channels/undo")
