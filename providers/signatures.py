"""Proof that a callback comes from the provider it claims to come from: what the three have in common."""

from __future__ import annotations

import re

EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")
"""How a signature's time is written."""


class BadSignature(Exception):  # noqa: N818 - as the kinds of providers.errors: named for what was found
    """The callback is not shown to be the provider's.

    Args:
        reason: Why, for the log; nothing of the callback's content.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
