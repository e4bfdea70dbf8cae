from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, meta

from services.notifications import media, words
from services.notifications.declarations import VARIABLES
from services.notifications.render import Company, Renderer, RenderError
from services.notifications.template_codes import Template
from services.notifications.tones import Tone
from services.notifications.typography import NBSP
from tests.notifications.reading import EVERY, HOSTILE, RENDERER, URL, Page, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# What every e-mail is


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(("template", "locale"), EVERY)
def test_every_template_withstands_every_text(template: Template, locale: str, hostile: str) -> None:
    values = sample(template, hostile)
    email = RENDERER.email(template, locale, values)
    notice = RENDERER.notice(template, locale, values)
    page, plain = Page(email.html), Page(RENDERER.email(template, locale, sample(template)).html)

    assert page.problems == []
    assert set(page.links) == {URL}
    without_breaks = [element for element in page.elements if element[0] != "br"]
    assert without_breaks == [element for element in plain.elements if element[0] != "br"]
    assert f'<html lang="{locale}">' in email.html

    assert URL in email.text
    assert re.search(r"[ \t]\n|\n{3}", email.text) is None
    assert email.text.endswith("\n")

    assert 0 < len(email.subject) <= 150
    assert "\n" not in email.subject
    assert "\n" not in notice.title
    assert notice.title
    assert notice.message
    for part in (email.html, email.text, notice.message, notice.title, email.subject):
        assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", part) is None
        part.encode()


def test_html_is_escaped_and_text_is_not() -> None:
    reason = 'Page 2 < page 1 & "illisible"'
    email = RENDERER.email("DOCUMENT_REJECTED", "fr", sample(Template.DOCUMENT_REJECTED, reason=reason))
    notice = RENDERER.notice("DOCUMENT_REJECTED", "fr", sample(Template.DOCUMENT_REJECTED, reason=reason))
    assert "Page 2 &lt; page 1 &amp; &#34;illisible&#34;" in email.html
    assert reason in email.text
    assert reason in notice.message


def test_a_line_break_in_a_name_begins_no_paragraph() -> None:
    email = RENDERER.email("NEW_MESSAGE", "fr", sample(Template.NEW_MESSAGE, name="Jeanne\n\nGagnez un lot"))
    assert email.text.startswith("Bonjour Jeanne Gagnez un lot,\n")


def test_without_name_and_address_the_greeting_is_plain_and_there_is_no_button() -> None:
    values = sample(Template.NEW_MESSAGE, name=None, action_url=None)
    email = RENDERER.email("NEW_MESSAGE", "fr", values)
    assert email.text.startswith("Bonjour,\n")
    assert Page(email.html).links == []
    assert "Lire le message" not in email.html + email.text
    assert "bouton" not in email.html


@pytest.mark.parametrize(("template", "locale"), EVERY)
def test_a_variable_that_may_be_absent_leaves_no_trace(template: Template, locale: str) -> None:
    absent = {name: None for name, variable in VARIABLES[template].items() if variable.optional}
    email = RENDERER.email(template, locale, sample(template) | absent)
    notice = RENDERER.notice(template, locale, sample(template) | absent)
    for part in (email.subject, email.html, email.text, notice.title, notice.message):
        assert "None" not in part
        assert "«»" not in part.replace(NBSP, "")
    blank = dict.fromkeys(absent, " \n")
    assert RENDERER.email(template, locale, sample(template) | blank) == email


@pytest.mark.parametrize("locale", words.LOCALES)
def test_a_long_subject_is_cut_between_words(locale: str) -> None:
    email = RENDERER.email("GENERIC", locale, sample(Template.GENERIC, title="Votre rendez-vous " * 20))
    assert len(email.subject) <= 150
    assert email.subject.endswith(("Votre…", "rendez-vous…"))


def test_the_applications_own_words_keep_their_lines() -> None:
    message = "Bonjour\r\n\r\nVotre rendez-vous :\n- lundi\n- mardi <10 h>"
    values = sample(Template.GENERIC, title="Rendez-vous", message=message)
    email = RENDERER.email("GENERIC", "fr", values)
    assert email.subject == "Rendez-vous"
    assert "Bonjour\n\nVotre rendez-vous :\n- lundi\n- mardi <10 h>" in email.text
    assert "Bonjour<br><br>Votre rendez-vous :<br>- lundi<br>- mardi &lt;10 h&gt;</p>" in email.html
    assert "Ouvrir mon espace" in email.html
    assert RENDERER.notice("GENERIC", "fr", values).message == message.replace("\r\n", "\n")


# The footer


COMPANY = Company("Société <A&B>", "1 rue de l’Exemple", "RCS Paris 000 000 000", "bonjour@example.com")
OPT_OUT = "https://fleet.example.com/u/made-up?a=1&b=2"


@pytest.mark.parametrize(("locale", "label"), [("fr", "Se désabonner"), ("en", "Unsubscribe")])
def test_whoever_can_opt_out_is_told_where(locale: str, label: str) -> None:
    values = sample(Template.REMINDER)
    without = RENDERER.email("REMINDER", locale, values)
    email = RENDERER.email("REMINDER", locale, values, unsubscribe_url=OPT_OUT)
    assert label not in without.html + without.text
    assert Page(email.html).links == [URL, URL, OPT_OUT]
    assert Page(email.html).problems == []
    assert f">{label}</a>" in email.html
    assert f"{label}\n{OPT_OUT}\n" in email.text


def test_the_footer_gives_the_companys_particulars() -> None:
    email = Renderer(COMPANY).email("NEW_MESSAGE", "fr", sample(Template.NEW_MESSAGE))
    page = Page(email.html)
    assert email.text.endswith(
        "\n\nSociété <A&B>\n1 rue de l’Exemple\nRCS Paris 000 000 000\nbonjour@example.com\n"
    )
    assert page.problems == []
    assert page.links == [URL, URL, "mailto:bonjour@example.com"]
    for particular in (COMPANY.name, COMPANY.address, COMPANY.registration):
        assert particular in page.text


# The dress


def test_rules_stand_in_the_elements_and_in_the_head_what_depends_on_the_device() -> None:
    html = RENDERER.email("REMINDER", "fr", sample(Template.REMINDER)).html
    head, body = html.split("</head>")
    assert head.count("<style>") == 1
    assert "@media (prefers-color-scheme: dark)" in head
    assert not re.search(r'class="ink"(?! style=")', body)
    assert "data-css-inline" not in html


@pytest.mark.parametrize(
    ("template", "changes", "tone"),
    [
        ("NEW_MESSAGE", {}, Tone.PLAIN),
        ("PAYMENT_RECEIVED", {}, Tone.SUCCESS),
        ("DOCUMENT_REJECTED", {}, Tone.WARNING),
        ("PAYMENT_FAILED", {}, Tone.DANGER),
        ("REMINDER", {"number": 1}, Tone.PLAIN),
        ("REMINDER", {"number": 2}, Tone.WARNING),
        ("REMINDER", {"number": 1, "last": True}, Tone.DANGER),
    ],
)
def test_good_urgent_and_bad_news_have_their_colour(
    template: str, changes: dict[str, object], tone: Tone
) -> None:
    html = RENDERER.email(template, "fr", sample(Template(template)) | changes).html
    worn = set(re.findall(r'class="(?:tone|edge)" bgcolor="(#\w+)"', html))
    assert worn == {tone}


@pytest.mark.parametrize("locale", words.LOCALES)
def test_reminders_are_worded_each_in_its_own_way(locale: str) -> None:
    first, second, third, last = (
        RENDERER.email("REMINDER", locale, sample(Template.REMINDER, number=number, last=number == 4))
        for number in (1, 2, 3, 4)
    )
    assert second == third
    assert len({email.subject for email in (first, second, last)}) == 3
    assert len({email.text for email in (first, second, last)}) == 3


# No hole in the table


def test_every_template_uses_what_it_declares_and_nothing_else() -> None:
    environment = Environment(loader=DictLoader({}), autoescape=True)
    environment.filters |= {"money": str, "status": str, "date": str}
    frame = {"name", "action_url"}
    for template, locale in EVERY:
        source = (media.FOLDER / locale / f"{template}.j2").read_text(encoding="utf-8")
        used = meta.find_undeclared_variables(environment.parse(source)) - {"p", "lines", "panel", "company"}
        assert used == VARIABLES[template].keys() - frame, (template, locale)


def test_no_template_file_is_left_over() -> None:
    for locale in words.LOCALES:
        found = {path.stem for path in (media.FOLDER / locale).iterdir()}
        assert found == {*Template, "frame"}
    assert {path.name for path in media.FOLDER.iterdir() if path.is_dir()} == set(words.LOCALES)


def _remove(path: Path) -> None:
    path.unlink()


def _rename_block(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("block button", "block buton"), encoding="utf-8")


def _misspell(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("product", "produkt"), encoding="utf-8")


def _break(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "{% if %}", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_remove, "WELCOME.j2"),
        (_rename_block, "lacks the block button"),
        (_misspell, "undeclared variable produkt"),
        (_break, "WELCOME.j2"),
    ],
)
def test_a_renderer_with_a_hole_does_not_start(
    damage: Callable[[Path], None], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in media.FOLDER.rglob("*.j2"):
        copy = tmp_path / path.relative_to(media.FOLDER)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    damage(tmp_path / "en" / "WELCOME.j2")
    monkeypatch.setattr(media, "FOLDER", tmp_path)
    with pytest.raises(RenderError, match=told) as caught:
        Renderer(Company("Partners VRAI"))
    assert (caught.value.template, caught.value.locale) == ("WELCOME", "en")


# Refusals


@pytest.mark.parametrize(("template", "locale"), EVERY)
def test_each_missing_variable_is_named(template: Template, locale: str) -> None:
    for name in VARIABLES[template]:
        values = {key: value for key, value in sample(template, "secret-value").items() if key != name}
        for rendered in (RENDERER.email, RENDERER.notice):
            with pytest.raises(
                RenderError, match=f"{template}, locale {locale}: {name} is missing"
            ) as caught:
                rendered(template, locale, values)
            assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "locale", "changes", "told"),
    [
        ("FAREWELL", "fr", {}, "no such template"),
        ("WELCOME", "de", {}, "no such locale; there are fr, en"),
        ("WELCOME", "fr", {"product": None}, "product must be text"),
        ("WELCOME", "fr", {"product": " \u202e\n"}, "product is blank"),
        ("WELCOME", "fr", {"product": 3, "reference": ""}, "product must be text, reference is blank"),
        ("PAYMENT_RECEIVED", "fr", {"amount": 9.99}, "amount must be a whole number of minor units"),
        ("PAYMENT_RECEIVED", "fr", {"amount": True}, "amount must be a whole number of minor units"),
        ("PAYMENT_RECEIVED", "fr", {"amount": "999"}, "amount must be a whole number of minor units"),
        ("REMINDER", "fr", {"number": 0}, "number must be a whole number from 1"),
        ("REMINDER", "fr", {"number": True}, "number must be a whole number from 1"),
        ("REMINDER", "fr", {"last": "no"}, "last must be true or false"),
        ("PAYMENT_LINK", "fr", {"expires_on": "soon"}, "expires_on must be a day such as 2026-12-21"),
    ],
)
def test_what_does_not_fit_is_refused(
    template: str, locale: str, changes: Mapping[str, object], told: str
) -> None:
    values = (
        sample(Template.WELCOME) | sample(Template.REMINDER) | sample(Template.PAYMENT_LINK) | dict(changes)
    )
    with pytest.raises(RenderError, match=re.escape(told)):
        RENDERER.email(template, locale, values)


@pytest.mark.parametrize(
    "address",
    [
        "/dossiers/1",
        "app.example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://app.example.com/ onclick=x",
        'https://app.example.com/"onclick="x',
        "https://app.example.com/\nhttps://evil.example",
    ],
)
def test_a_button_leads_to_a_web_address_or_nowhere(address: str) -> None:
    with pytest.raises(RenderError, match="action_url must be an absolute http or https address") as caught:
        RENDERER.email("NEW_MESSAGE", "fr", sample(Template.NEW_MESSAGE, action_url=address))
    assert address not in str(caught.value)


# Under load, and against anything


def test_threads_share_a_renderer() -> None:
    expected = {pair: RENDERER.email(*pair, sample(pair[0])) for pair in EVERY}
    wrong: list[tuple[Template, str]] = []

    def work() -> None:
        wrong.extend(pair for pair in EVERY * 3 if RENDERER.email(*pair, sample(pair[0])) != expected[pair])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@settings(max_examples=150, deadline=None)
@given(
    pair=st.sampled_from(EVERY),
    text=st.text(
        st.characters(exclude_categories=()) | st.sampled_from("<>&\"'`=/\n\r\0{}%-!"), max_size=120
    ),
)
def test_no_text_breaks_out_of_the_page(pair: tuple[Template, str], text: str) -> None:
    template, locale = pair
    page = Page(RENDERER.email(template, locale, sample(template, f"never blank: {text}")).html)
    plain = Page(RENDERER.email(template, locale, sample(template)).html)
    assert page.problems == []
    assert set(page.links) == {URL}
    for part in (page, plain):
        part.elements = [element for element in part.elements if element[0] != "br"]
    assert page.elements == plain.elements
