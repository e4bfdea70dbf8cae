"""The fleet's own schema, and its triggers on the platform's tables."""

from __future__ import annotations

from alembic import op

from db import role
from db.harden import soften
from db.migrations import files

revision = "0002_fleet"
down_revision = "0001_platform_v2"


def upgrade() -> None:
    """Make the fleet's tables, functions and triggers; nothing of the platform's is altered beside these."""
    files.run("fleet")


def downgrade() -> None:
    """Drop them, and what the fleet's roles and the hardening have put on the platform's tables."""
    role.withdraw(op.get_bind())
    soften(op.get_bind())
    files.run("fleet/undo")
