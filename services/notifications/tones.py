"""Which colour a message wears: whether it brings good news, asks to act, or brings bad news."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tone(StrEnum):
    """A tone; the value is the platform's colour of it."""

    PLAIN = "#00F0FF"
    SUCCESS = "#4ADE80"
    WARNING = "#FACC15"
    DANGER = "#F95757"


_TONES: Final[Mapping[Template, Tone]] = {
    Template.DOCUMENT_APPROVED: Tone.SUCCESS,
    Template.STEP_COMPLETED: Tone.SUCCESS,
    Template.STEP_COMPLETED_BY_ADVISER: Tone.SUCCESS,
    Template.DOSSIER_COMPLETED: Tone.SUCCESS,
    Template.PAYMENT_RECEIVED: Tone.SUCCESS,
    Template.WELCOME_BACK: Tone.SUCCESS,
    Template.DOCUMENT_REJECTED: Tone.WARNING,
    Template.PAYMENT_LINK_REMINDER: Tone.WARNING,
    Template.PAYMENT_FAILED: Tone.DANGER,
    Template.ORDER_CANCELLED: Tone.DANGER,
}


def tone(template: Template, values: Mapping[str, object]) -> Tone:
    """The tone of a message; that of reminders sharpens from the first to the last.

    Args:
        template: Which message.
        values: Its variables, checked.
    """
    if template is Template.REMINDER:
        if values["last"]:
            return Tone.DANGER
        return Tone.PLAIN if values["number"] == 1 else Tone.WARNING
    return _TONES.get(template, Tone.PLAIN)
