"""Each message as it reads, in every language and medium; a change of words is seen before it is sent.

``SNAPSHOTS=write`` writes the files anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from services.notifications import phone_words, samples, sms
from services.notifications.render import Renderer
from services.notifications.template_codes import Template
from services.notifications.tones import tone
from tests.notifications.reading import EVERY, Page

FOLDER = Path(__file__).with_name("snapshots")
RENDERER = Renderer(samples.COMPANY)


def reading(template: Template, locale: str) -> str:
    """All that a person may read of a message."""
    parts: list[str] = []
    for variant, values in samples.variants(template, locale).items():
        opt_out = samples.unsubscribe_url(template)
        email = RENDERER.email(template, locale, values, unsubscribe_url=opt_out)
        notice = RENDERER.notice(template, locale, values)
        phone = RENDERER.phone(template, locale, values)
        page = Page(email.html)
        parts += [
            f"=== {template} {locale} {variant}".rstrip(),
            f"--- subject\n{email.subject}",
            f"--- in the app\n{notice.title}\n{notice.message}",
            f"--- text\n{email.text.rstrip()}",
            f"--- html, {tone(template, values).name.lower()}\n{visible(page)}\n{' '.join(page.links)}",
            f"--- sms\n{sms.fit(phone.sms, samples.SHORT_LINK)}",
            f"--- whatsapp\n{phone_words.body(phone.whatsapp, samples.SHORT_LINK)}",
        ]
    return "\n\n".join(parts) + "\n"


def visible(page: Page) -> str:
    """The page's words, line by line, without the padding of its preheader."""
    words = re.sub("[\u034f\u200c]\xa0?|\xa0(?=[\u034f\n])", "", page.text)
    return re.sub(r"\n\s*", "\n", words).strip()


@pytest.mark.parametrize(("template", "locale"), EVERY)
def test_a_message_reads_as_it_did(template: Template, locale: str) -> None:
    file = FOLDER / f"{template}.{locale}.txt"
    now = reading(template, locale)
    if os.environ.get("SNAPSHOTS") == "write":
        file.write_text(now, encoding="utf-8")
    assert file.is_file(), "SNAPSHOTS=write writes it"
    assert now == file.read_text(encoding="utf-8")


def test_the_whole_page_is_as_it_was() -> None:
    """One e-mail to the letter: what mail clients get beside the words."""
    values = samples.variables(Template.REMINDER, "fr")
    html = RENDERER.email("REMINDER", "fr", values, unsubscribe_url=samples.unsubscribe_url("REMINDER")).html
    file = FOLDER / "REMINDER.fr.html"
    if os.environ.get("SNAPSHOTS") == "write":
        file.write_text(html, encoding="utf-8")
    assert html == file.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    expected = {f"{template}.{locale}.txt" for template, locale in EVERY} | {"REMINDER.fr.html"}
    assert {file.name for file in FOLDER.iterdir()} == expected
