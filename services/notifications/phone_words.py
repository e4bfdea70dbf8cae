"""What a phone message says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.notifications.typography import shorten

if TYPE_CHECKING:
    from services.notifications.render import RenderedNotice

# Twilio takes 1,600 characters and charges an SMS by its parts; all of it stands in the app and in the mail.
_MESSAGE_LIMIT: Final = 500


def body(notice: RenderedNotice, link: str | None) -> str:
    """The text of an SMS, or of a WhatsApp message outside a template.

    Args:
        notice: The message's words.
        link: Where it leads to, on a line of its own.
    """
    parts = [notice.title, shorten(notice.message, _MESSAGE_LIMIT), link]
    return "\n".join(part for part in parts if part)
