"""Made-up variables for each message, for people who want to see the words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.notifications import catalogue, subject
from services.notifications.declarations import VARIABLES, code
from services.notifications.render import Company
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    Kept = Mapping[str, object]

_NAME: Final = "Camille Exemple"
_ACTION_URL: Final = "https://app.example.com/dossiers/exemple"
COMPANY: Final = Company(
    name="Partners VRAI",
    address="1 rue de l’Exemple, 75000 Paris",
    registration="SAS au capital de 1 000 €, RCS Paris 000 000 000",
    email="bonjour@example.com",
)
"""Who writes; the particulars are made up."""

SHORT_LINK: Final = "https://fleet.example.com/l/ExempleExemple00"
"""Made up, as long as those on the phone are."""

_DOSSIER: Final[Kept] = {"product": "LLC Formation", "reference": "EXEMPLE1"}
_DOCUMENT: Final[Kept] = {"document_code": "PASSPORT", "document_label": "Passport"}
_ORDER: Final[Kept] = {"product": "LLC Formation", "amount": 123400, "currency": "EUR"}
_STEP: Final[Kept] = {
    "step_code": "DOCUMENT_COLLECTION",
    "step_label": "Document Collection",
    "next_step_code": "FORM_SUBMISSION",
    "next_step_label": "Form Submission",
}
# As they are kept in notifications.payload: the words of codes and dates are found as for a real message.
_KEPT: Final[Mapping[Template, Kept]] = {
    Template.WELCOME: _DOSSIER,
    Template.DOCUMENT_RECEIVED: _DOCUMENT,
    Template.DOCUMENTS_DELIVERED: _DOCUMENT,
    Template.DOCUMENT_APPROVED: _DOCUMENT,
    Template.DOCUMENT_REJECTED: {**_DOCUMENT, "reason": "La photo est floue : merci d’en prendre une autre."},
    Template.STEP_COMPLETED: _STEP,
    Template.STEP_COMPLETED_BY_ADVISER: _STEP,
    Template.DOSSIER_COMPLETED: _DOSSIER,
    Template.STATUS_CHANGED: {**_DOSSIER, "status": "BANK_OPENED"},
    Template.PAYMENT_RECEIVED: _ORDER,
    Template.PAYMENT_FAILED: _ORDER,
    Template.PAYMENT_REFUNDED: {**_ORDER, "reference": "EXEMPLE1"},
    Template.PAYMENT_LINK: {**_ORDER, "expires_on": "2026-12-21"},
    Template.PAYMENT_LINK_REMINDER: {**_ORDER, "expires_on": "2026-12-21"},
    Template.REMINDER: {**_ORDER, "number": 1},
    Template.ORDER_CANCELLED: _ORDER,
    Template.WELCOME_BACK: _DOSSIER,
    Template.NEW_MESSAGE: _DOSSIER,
    Template.GENERIC: {},
}
_OWN_WORDS: Final = {
    "fr": ("Votre rendez-vous", "Votre conseiller vous attend jeudi à 10 h.\n\nPensez à votre passeport."),
    "en": ("Your appointment", "Your adviser expects you on Thursday at 10 a.m.\n\nBring your passport."),
}
_VARIANTS: Final[Mapping[Template, Mapping[str, Kept]]] = {
    Template.REMINDER: {"1st": {}, "2nd": {"number": 2}, "last": {"number": 5, "last": True}},
}


def variables(template: str, locale: str) -> dict[str, object]:
    """All that a template declares, made up.

    Args:
        template: One of ``Template``.
        locale: One of ``words.LOCALES``.

    Raises:
        RenderError: There is no such template.
    """
    template = code(template, locale)
    known = subject.variables(_KEPT[template], locale, name=_NAME, action_url=_ACTION_URL)
    known |= subject.own_words(*_OWN_WORDS[locale], locale)
    return {name: known[name] for name in VARIABLES[template]}


def unsubscribe_url(template: str) -> str | None:
    """A made-up address to opt out at; None where there is no opting out."""
    return None if catalogue.route(template).mandatory else "https://fleet.example.com/u/exemple"


def variants(template: Template, locale: str) -> dict[str, dict[str, object]]:
    """The same for each way in which a template says its message, by what tells it from the others."""
    usual = variables(template, locale)
    return {name: {**usual, **changes} for name, changes in _VARIANTS.get(template, {"": {}}).items()}
