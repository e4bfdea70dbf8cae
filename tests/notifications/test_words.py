from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from db.models.enums import DossierStatus
from services.notifications import media, words
from services.notifications.template_codes import Template
from services.notifications.typography import NBSP
from tests.notifications.reading import RENDERER, Page, sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("locale", words.LOCALES)
@pytest.mark.parametrize("status", [*DossierStatus, "AWAITING_SIGNATURE"])
def test_no_code_of_a_status_reaches_a_person(status: str, locale: str) -> None:
    email = RENDERER.email("STATUS_CHANGED", locale, sample(Template.STATUS_CHANGED, status=status))
    notice = RENDERER.notice("STATUS_CHANGED", locale, sample(Template.STATUS_CHANGED, status=status))
    for part in (email.subject, email.html, email.text, notice.title, notice.message):
        assert status not in part
        assert re.search(r"[A-Z]+_[A-Z]+", part) is None


@pytest.mark.parametrize("locale", words.LOCALES)
def test_every_status_has_words_of_its_own(locale: str) -> None:
    labels = {words.status_label(status, locale) for status in DossierStatus}
    assert len(labels) == len(DossierStatus)
    assert words.status_label("AWAITING_SIGNATURE", locale) == "Awaiting signature"


def test_documents_and_steps_have_words_or_keep_the_platforms_label() -> None:
    assert words.document_label("PASSPORT", "Passport", "fr") == "Passeport"
    assert words.document_label("PROOF_ADDRESS", "Proof of Address", "en") == "Proof of address"
    assert words.document_label("K1", "Schedule K-1", "fr") == "Schedule K-1"
    assert words.step_label("DOCUMENT_COLLECTION", "Document Collection", "fr") == "Collecte des documents"
    assert words.step_label("NOTARY", "Notary", "fr") == "Notary"


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "written"),
    [
        (99900, "EUR", "fr", "999,00\xa0€"),
        (99900, "eur", "en", "€999.00"),
        (499900, "usd", "fr", "4\u202f999,00\xa0$US"),
        (99900, "jpy", "en", "¥99,900"),
        (1234, "kwd", "en", "KWD1.234"),
        (1234500, "ugx", "en", "UGX12,345"),
        (5, "EUR", "en", "€0.05"),
        (-5, "EUR", "en", "-€0.05"),
        (99900, "ZZZ", "en", "ZZZ999.00"),
    ],
)
def test_amounts_are_written_as_in_the_locale(amount: int, currency: str, locale: str, written: str) -> None:
    assert words.money(amount, currency, locale).replace("KWD\xa0", "KWD") == written


@pytest.mark.parametrize(
    ("date", "locale", "written"),
    [
        ("2026-12-21", "fr", f"21{NBSP}décembre 2026"),
        ("2027-01-01", "fr", f"1er{NBSP}janvier 2027"),
        ("2027-01-11", "fr", f"11{NBSP}janvier 2027"),
        ("2026-12-21", "en", f"December{NBSP}21, 2026"),
    ],
)
def test_days_are_written_as_in_the_locale(date: str, locale: str, written: str) -> None:
    email = RENDERER.email("PAYMENT_LINK", locale, sample(Template.PAYMENT_LINK, expires_on=date))
    assert written in email.text


def test_an_amount_appears_in_subject_page_and_notice() -> None:
    values = sample(Template.PAYMENT_RECEIVED, amount=99900, currency="eur")
    email = RENDERER.email("PAYMENT_RECEIVED", "fr", values)
    assert email.subject == f"Nous avons bien reçu votre paiement de 999,00{NBSP}€"
    assert f"999,00{NBSP}€" in Page(email.html).text
    assert f"999,00{NBSP}€" in RENDERER.notice("PAYMENT_RECEIVED", "fr", values).message


@pytest.mark.parametrize("template", Template)
def test_french_punctuation_is_never_torn_from_its_word(template: Template) -> None:
    email = RENDERER.email(template, "fr", sample(template))
    notice = RENDERER.notice(template, "fr", sample(template))
    for part in (email.subject, Page(email.html).text, email.text, notice.title, notice.message):
        assert re.search(r" [:;!?»]|« ", part) is None


def test_spacing_leaves_other_peoples_words_alone() -> None:
    values = sample(Template.GENERIC, message="Attention : ici !")
    assert RENDERER.notice("GENERIC", "fr", values).message == "Attention : ici !"


@pytest.mark.parametrize(
    "path", sorted(media.FOLDER.glob("??/*.j2")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_apostrophes_and_quotation_marks_are_typographic(path: Path) -> None:
    prose = re.sub(r"{[{%#].*?[}%#]}", "", path.read_text(encoding="utf-8"))
    assert re.search(r"['\"]|!", prose) is None
