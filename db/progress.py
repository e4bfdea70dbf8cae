"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told what is under way, how much of it is done, and how much there is."""


def quiet(what: str, done: int, of: int) -> None:
    """Tell nobody."""
    del what, done, of
