"""Reads Markdown pages: what stands in their fenced blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(page: Path, language: str) -> list[str]:
    """The page's blocks in a language, in their order."""
    return [body.strip() for said, body in FENCE.findall(page.read_text("utf-8")) if said == language]
