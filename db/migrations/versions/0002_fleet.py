"""The fleet's own schema, and its triggers on the platform's tables."""

from __future__ import annotations

from alembic import op

from db import sqlfiles

revision = "0002_fleet"
down_revision = "0001_platform_v2"


def upgrade() -> None:
    """Make the fleet's tables, functions and triggers; nothing of the platform's is altered beside these."""
    sqlfiles.run(op.get_bind(), "fleet")


def downgrade() -> None:
    """Drop them."""
    sqlfiles.run(op.get_bind(), "fleet/undo")
