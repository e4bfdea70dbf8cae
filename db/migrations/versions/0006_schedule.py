"""The timetable's last runs."""

from __future__ import annotations

from db.migrations import files

revision = "0006_schedule"
down_revision = "0005_payments"


def upgrade() -> None:
    """Add the table."""
    files.run("fleet_schedule")


def downgrade() -> None:
    """Drop it; what is due once a day waits for its next time."""
    files.run("fleet_schedule/undo")
