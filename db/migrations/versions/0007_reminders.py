"""Payment reminders: each claimed once, its session and its link; orders given up after the last."""

from __future__ import annotations

from db.migrations import files

revision = "0007_reminders"
down_revision = "0006_schedule"


def upgrade() -> None:
    """Add the tables; nothing of the platform's is touched."""
    files.run("fleet_reminders")


def downgrade() -> None:
    """Drop them; what was sent stays in the platform's ``payment_reminders``."""
    files.run("fleet_reminders/undo")
