"""The platform's schema, version 2."""

from __future__ import annotations

from db.migrations import files

revision = "0001_platform_v2"
down_revision = None


def upgrade() -> None:
    """Build the platform's schema in ``public``, and of Supabase's ``auth`` what is missing."""
    files.run("platform")


def downgrade() -> None:
    """Drop what ``upgrade`` made, and nothing of ``auth`` that was there before it."""
    files.run("platform/undo")
