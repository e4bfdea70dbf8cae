"""What can go wrong with an embedded server. Every message says what to do about it."""

from __future__ import annotations


class EmbeddedError(RuntimeError):
    """An embedded server cannot be had or used here."""


class FolderInUse(EmbeddedError):  # noqa: N818 - reads as the state of affairs that it is
    """Another running process holds the folder."""
