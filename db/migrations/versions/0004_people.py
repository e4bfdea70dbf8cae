"""What a person has said: preferences, suppressed addresses; links on our own domain; erasures."""

from __future__ import annotations

from db.migrations import files

revision = "0004_people"
down_revision = "0003_channels"


def upgrade() -> None:
    """Add the tables; nothing of the platform's is touched."""
    files.run("fleet_people")


def downgrade() -> None:
    """Drop them; what people have said is gone."""
    files.run("fleet_people/undo")
