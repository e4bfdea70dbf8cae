"""An SMS fits into one part of GSM-7, whatever is said, and what it leads to is whole."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.notifications import gsm7, samples, sms, words
from services.notifications.render import Renderer
from services.notifications.template_codes import Template
from services.notifications.transliteration import transliterate

RENDERER = Renderer(samples.COMPANY)
LINK = "https://partners.example.com/fleet/l/dQw4w9WgXcQ_-abc"
ADDRESS = re.compile(r"https?://\S+")
EVERY = [
    pytest.param(template, locale, variant, id=f"{template}-{locale}-{variant}")
    for template, locale in product(Template, words.LOCALES)
    for variant in samples.variants(template, locale)
]

PIECES = st.one_of(
    st.text(max_size=40),
    st.text("abé€{}[]^~|\\ \n", max_size=40),
    st.sampled_from(
        [
            "https://app.example.com/a?b=[1]&c=~",
            LINK,
            "www.example.com/pay",
            "https://a.example/b-",
            "(",
            "-",
            "a@example.com",
            "x" * 200,
        ]
    ),
    st.sampled_from(
        ["Привет", "« Создание »", "محمد", "👩‍👩‍👧‍👦", "reçu…", "l’œuvre", "1\u202f000\xa0€", "№ 5"]
    ),
)
TEXTS = st.lists(PIECES, max_size=12).map(" ".join)
TEXTUAL = {"name", "product", "document", "step", "next_step", "reason", "title", "message", "status"}
# What an adviser or the application writes may be as long as it likes.
CUT = {Template.DOCUMENT_REJECTED, Template.GENERIC}


def fits(body: str) -> bool:
    """One part of GSM-7, nothing in it that a phone would read as half of something."""
    return (
        gsm7.is_gsm7(body) and "\x1b" not in body and gsm7.septets(body) <= 160 and gsm7.segments(body) == 1
    )


@given(TEXTS)
@example("€" * 200)
@example("a" * 156 + "€€€")
def test_any_words_fit(text: str) -> None:
    assert fits(sms.fit(text))


@given(
    TEXTS,
    st.sampled_from(
        [LINK, "https://x.example/[~^]", "https://a.example/ê", "https://a.example/" + "b" * 140]
    ),
)
def test_a_link_is_there_whole_or_not_at_all(text: str, link: str) -> None:
    body = sms.fit(text, link)
    assert fits(body)
    whole = link.replace("ê", "%C3%AA")
    assert body.endswith(whole) == (len(link) < 100)
    if len(link) < 100:
        assert body == whole or body[-len(whole) - 1] == "\n"


@given(TEXTS, st.one_of(st.none(), st.just(LINK)))
@example("a " * 60 + "https://app.example.com/" + "b" * 100, None)
@example("a " * 40 + "https://app.example.com/b- ( - " + "c" * 90, None)
@example("https://app.example.com/" + "b" * 135 + " " + "c" * 20, None)
def test_an_address_among_the_words_is_there_whole_or_not_at_all(text: str, link: str | None) -> None:
    said = set(ADDRESS.findall(transliterate(text))) | {link}
    assert set(ADDRESS.findall(sms.fit(text, link))) <= said


@given(st.lists(st.text("abcdeé€", min_size=1, max_size=12), min_size=30, max_size=60))
def test_what_is_too_long_ends_with_a_word_and_three_dots(some_words: list[str]) -> None:
    text = " ".join(some_words)
    body = sms.fit(text, LINK)
    kept, _, link = body.partition("\n")
    if gsm7.septets(text) > 160 - len(LINK) - 1:
        assert kept.endswith("...")
        kept = kept.removesuffix("...")
        assert text.startswith(f"{kept} ")
        following = text[len(kept) :].split()[0]
        assert gsm7.septets(f"{kept} {following}...\n{link}") > 160  # not a word less than there is room for
    else:
        assert kept == text


def test_a_word_longer_than_an_sms_is_cut_unless_it_leads_somewhere() -> None:
    assert sms.fit("a" * 161) == "a" * 157 + "..."
    assert sms.fit("€" * 81) == "€" * 78 + "..."
    assert sms.fit("Voir : https://app.example.com/" + "a" * 160) == "Voir..."
    # Dots at once after an address would be taken for a part of it.
    assert sms.fit("https://app.example.com/1 " + "a b " * 60).startswith("https://app.example.com/1 a b")
    assert (
        sms.fit("a " * 60 + "https://app.example.com/1 " + "b" * 160)[-29:] == "https://app.example.com/1 ..."
    )


def test_a_link_that_leaves_no_room_for_words_is_left_out() -> None:
    longest = "https://app.example.com/".ljust(119, "a")
    assert sms.fit("Votre dossier", longest) == f"Votre dossier\n{longest}"
    assert sms.fit("Votre dossier", f"{longest}a") == "Votre dossier"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Été, à Noël, où ? Ça va ! ñ ö ß É", "Été, à Noel, où ? Ça va ! ñ ö ß É"),
        ("reçu, être, hôtel, naïf, Ÿ, cœur, ŒUVRE", "recu, etre, hotel, naif, Y, coeur, OEUVRE"),
        ("« l’étape » – “fin”… — ‘a’", '"l\'étape" - "fin"... - \'a\''),
        ("1\u202f000,50\xa0€ ; 5\xa0₽ ; 3\u2009¢", "1 000,50 € ; 5 RUB ; 3 c"),
        ("e\u0301te\u0301, n\u0303", "été, ñ"),
        (
            "Łódź, Đặng Nguyễn, Þór, ŋ, ﬁn, Ⅳ, №\u00a05, ½",
            "Lodz, Dang Nguyen, Thor, n, fin, IV, No 5, 1/2",
        ),
        ("٣٤٥ et ४", "345 et 4"),
        ("Votre document « Паспорт » est validé.", "Votre document est validé."),
        ("Bonjour محمد, 你好 !", "Bonjour, !"),
        ("Zoé 👩‍👩‍👧‍👦 🇫🇷 ❤️ merci", "Zoé merci"),
        ("a\tb\x00c\x1bd\u200be\ufeff", "a bcde"),
        ("Ligne 1\u2028Ligne 2", "Ligne 1\nLigne 2"),
        ("Alexeїв et (Иван)", "et"),
        ("", ""),
    ],
)
def test_the_nearest_that_gsm_7_has(text: str, said: str) -> None:
    assert transliterate(text) == said


def test_an_address_is_encoded_where_words_are_replaced() -> None:
    text = "« https://app.example.com/reçu?de=Zoë&n=1 »… ç"
    assert transliterate(text) == '"https://app.example.com/re%C3%A7u?de=Zo%C3%AB&n=1"... c'


@given(TEXTS)
def test_to_transliterate_again_changes_nothing(text: str) -> None:
    once = transliterate(text)
    assert gsm7.is_gsm7(once)
    assert transliterate(once) == once


@pytest.mark.parametrize(("template", "locale", "variant"), EVERY)
def test_every_message_fits_whole_with_its_link(template: Template, locale: str, variant: str) -> None:
    said = RENDERER.phone(template, locale, samples.variants(template, locale)[variant]).sms
    body = sms.fit(said, LINK)
    assert fits(body)
    assert body.startswith(samples.COMPANY.name)
    assert body.endswith(f"\n{LINK}")
    whole = transliterate(said)
    if template not in CUT:
        assert body == f"{whole}\n{LINK}"


@pytest.mark.parametrize(("template", "locale", "variant"), EVERY)
def test_our_own_words_need_no_letter_that_gsm_7_lacks(template: Template, locale: str, variant: str) -> None:
    usual = samples.variants(template, locale)[variant]
    plain = {name: "X" for name in usual if name in TEXTUAL}
    said = RENDERER.phone(template, locale, usual | plain).sms
    assert re.findall(r"\w+", transliterate(said)) == re.findall(r"\w+", said)


@pytest.mark.parametrize(
    "hostile", ["Ж" * 200, "é" * 200, "€" * 200, "👩‍👩‍👧‍👦 " * 50, "a\r\n\u2028b", "محمد \u202e"]
)
@pytest.mark.parametrize(("template", "locale", "variant"), EVERY)
def test_every_message_fits_whatever_is_in_it(
    template: Template, locale: str, variant: str, hostile: str
) -> None:
    usual = samples.variants(template, locale)[variant]
    texts = {name: hostile for name in usual if name in TEXTUAL}
    body = sms.fit(RENDERER.phone(template, locale, usual | texts).sms, LINK)
    assert fits(body)
    assert body.startswith(samples.COMPANY.name)
    assert body.endswith(f"\n{LINK}")
