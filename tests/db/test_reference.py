"""The generated reference in docs/ tells what the migrations make."""

from __future__ import annotations

from pathlib import Path

from db import reference
from db.engine import make_engine

PAGE = Path(__file__).parents[2] / "docs/database.md"


def test_the_page_is_current(owner_url: str) -> None:
    engine = make_engine(owner_url, pool_size=1)
    with engine.connect() as connection:
        written = reference.write(connection)
    engine.dispose()
    assert PAGE.read_text(encoding="utf-8") == written, "fleet db reference > docs/database.md"
