"""The platform's schema, version 2."""

from __future__ import annotations

from alembic import op

from db import sqlfiles

revision = "0001_platform_v2"
down_revision = None


def upgrade() -> None:
    """Build the platform's schema in ``public``, and of Supabase's ``auth`` what is missing."""
    sqlfiles.run(op.get_bind(), "platform")


def downgrade() -> None:
    """Drop what ``upgrade`` made, and nothing of ``auth`` that was there before it."""
    sqlfiles.run(op.get_bind(), "platform/undo")
