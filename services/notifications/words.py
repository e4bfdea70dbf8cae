"""Words for the platform's codes and amounts, in each locale that the fleet writes."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from babel.dates import format_date
from babel.numbers import format_currency

from services.notifications.typography import NBSP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

LOCALES: Final = ("fr", "en")

# Minor units are counted as Stripe counts them, which is not always ISO 4217's way: ISK and UGX are charged
# in hundredths. Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal, special cases).
_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905 - one line
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 3),  # noqa: SIM905 - as above
}
_USUAL_DECIMALS: Final = 2

_STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "QUALIFICATION": {"fr": "Étude de votre projet", "en": "Project assessment"},
    "FORM_SUBMITTED": {"fr": "Formulaire transmis", "en": "Form submitted"},
    "NM_PENDING": {"fr": "Enregistrement de la société en attente", "en": "Company registration pending"},
    "LLC_ACCEPTED": {"fr": "LLC acceptée", "en": "LLC accepted"},
    "EIN_PENDING": {"fr": "Numéro fiscal (EIN) en attente", "en": "Tax number (EIN) pending"},
    "BANK_PREPARATION": {"fr": "Compte bancaire en préparation", "en": "Bank account in preparation"},
    "BANK_OPENED": {"fr": "Compte bancaire ouvert", "en": "Bank account opened"},
    "WAITING_48H": {"fr": "Délai de 48 heures en cours", "en": "48-hour waiting period"},
    "IN_PROGRESS": {"fr": "En cours de traitement", "en": "In progress"},
    "UNDER_REVIEW": {"fr": "En cours d\N{RIGHT SINGLE QUOTATION MARK}examen", "en": "Under review"},
    "COMPLETED": {"fr": "Terminé", "en": "Completed"},
    "CLOSED": {"fr": "Clôturé", "en": "Closed"},
    "ERROR": {"fr": "En vérification par nos équipes", "en": "Being checked by our team"},
}

_DOCUMENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "PASSPORT": {"fr": "Passeport", "en": "Passport"},
    "PROOF_ADDRESS": {"fr": "Justificatif de domicile", "en": "Proof of address"},
}

_STEPS: Final[Mapping[str, Mapping[str, str]]] = {
    "QUALIFICATION": {"fr": "Qualification", "en": "Qualification"},
    "DOCUMENT_COLLECTION": {"fr": "Collecte des documents", "en": "Document collection"},
    "FORM_SUBMISSION": {"fr": "Dépôt du formulaire", "en": "Form submission"},
    "PROCESSING": {"fr": "Traitement par les autorités", "en": "Processing by the authorities"},
    "COMPLETION": {"fr": "Finalisation", "en": "Completion"},
}


def status_label(code: str, locale: str) -> str:
    """A dossier's status in words; a code that is not known yet is made readable."""
    return _known(_STATUSES, code, locale) or code.replace("_", " ").strip().capitalize()


def document_label(code: str, fallback_label: str, locale: str) -> str:
    """A document type in words.

    Args:
        code: ``document_types.code``.
        fallback_label: ``document_types.label``, used as it is for a type that is not known here.
        locale: One of ``LOCALES``.
    """
    return _known(_DOCUMENTS, code, locale) or fallback_label


def step_label(code: str, fallback_label: str, locale: str) -> str:
    """A step in words.

    Args:
        code: ``steps.code``.
        fallback_label: ``steps.label``, used as it is for a step that is not known here.
        locale: One of ``LOCALES``.
    """
    return _known(_STEPS, code, locale) or fallback_label


@lru_cache(maxsize=1024)  # an e-mail names its amount up to four times, and products have few prices
def money(amount_minor: int, currency: str, locale: str) -> str:
    """An amount as people of the locale write it.

    Args:
        amount_minor: The amount in the currency's minor units as Stripe counts them, such as cents.
        currency: ISO 4217 code, in either case.
        locale: One of ``LOCALES``.
    """
    code = currency.upper()
    decimals = _DECIMALS.get(code, _USUAL_DECIMALS)
    return format_currency(Decimal(amount_minor).scaleb(-decimals), code, locale=locale)


@lru_cache(maxsize=256)  # a message names its day up to four times
def day(date: date, locale: str) -> str:
    """A day as people of the locale write it, its number and month kept on one line."""
    written = format_date(date, "long", locale=locale)
    if locale == "fr":
        # The first of a month is an ordinal, which the locale's data do not know.
        written = f"1er{written.removeprefix('1')}" if date.day == 1 else written
    return written.replace(" ", NBSP, 1)


def _known(table: Mapping[str, Mapping[str, str]], code: str, locale: str) -> str | None:
    return table.get(code, {}).get(locale)
