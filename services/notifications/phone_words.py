"""What a WhatsApp message says outside of a template."""

from __future__ import annotations

from typing import Final

from services.notifications.typography import shorten

# Twilio takes 1,600 characters; all of it stands in the app and in the mail.
_LIMIT: Final = 600


def body(words: str, link: str | None) -> str:
    """The text.

    Args:
        words: What is said, cut where it is too long.
        link: Where it leads to, whole, on a line of its own.
    """
    kept = shorten(words, _LIMIT)
    return f"{kept}\n{link}" if link else kept
