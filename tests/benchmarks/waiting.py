"""Waiting that costs the measured system little."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_SECONDS = 0.05


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every so often until the condition holds; AssertionError if it does not within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_EVERY_SECONDS)
