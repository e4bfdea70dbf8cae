"""The revisions that this program knows, and Alembic's settings for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from typing import TextIO

PLATFORM = "0001_platform_v2"
"""The platform's part alone, as an adopted database has it from the start."""


def config(output: TextIO | None = None, **attributes: Any) -> Config:
    """Build Alembic's configuration.

    Args:
        output: Where the SQL goes, where it is printed and not run.
        attributes: For ``migrations/env.py``.
    """
    built = Config(output_buffer=output, attributes=attributes)
    # The value passes through configparser, to which a lone % is an error.
    built.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return built


def known() -> list[str]:
    """List all revisions, the first one first."""
    scripts = ScriptDirectory.from_config(config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def pending(at: str | None, to: str = "head") -> list[str]:
    """List the revisions from one, which is left out, to another, which is not.

    Args:
        at: The revision that a database is at; None before the first.
        to: Where to end; ``head`` is the newest.
    """
    every = known()
    start = every.index(at) + 1 if at else 0
    end = len(every) if to == "head" else every.index(to) + 1
    return every[start:end]
