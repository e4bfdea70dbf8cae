"""Turns a template's code and its variables into the words that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jinja2 import UndefinedError
from markupsafe import Markup

from services.notifications import media, words
from services.notifications.declarations import RenderError, checked, code
from services.notifications.media import BLOCKS, FIXED, FRAME, GREETING, PHONE_BLOCKS, Medium
from services.notifications.tones import tone
from services.notifications.typography import one_line, shorten, tidy_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.notifications.template_codes import Template

__all__ = ["Company", "RenderError", "RenderedEmail", "RenderedNotice", "RenderedPhone", "Renderer"]

_SUBJECT_LIMIT: Final = 150
_PREHEADER_LIMIT: Final = 140


@dataclass(frozen=True, slots=True)
class Company:
    """Who writes. What is blank is left out of the footer.

    Attributes:
        name: As greetings and footer give it.
        address: Where it has its seat, on one line.
        registration: The number and the place of its registration.
        email: Where it can be written to.
    """

    name: str
    address: str = ""
    registration: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """An e-mail's words: the subject on one line, and the same content as HTML and as plain text."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedNotice:
    """An in-app notification's words, as plain text: whoever shows them escapes them."""

    title: str
    message: str


@dataclass(frozen=True, slots=True)
class RenderedPhone:
    """A phone message's words without the link that goes with them, as plain text.

    Attributes:
        sms: In brief, the sender named; not cut to an SMS's length yet, nor to its alphabet.
        whatsapp: At length.
    """

    sms: str
    whatsapp: str


class Renderer:
    """Renders every template in every locale; safe to share between threads.

    All templates are read, checked and compiled here, so that a program with a hole in its words does not
    start.

    Args:
        company: Who writes.

    Raises:
        RenderError: A template is missing, lacks a block, or uses a variable that it does not declare.
    """

    def __init__(self, company: Company) -> None:
        self._text = Medium("txt", {"company": company}, media.FOLDER)
        self._text.check()
        self._html = Medium("html", {"company": company}, media.FOLDER)
        self._fixed = {
            locale: {name: one_line(text) for name, text in self._blocks(FRAME, locale, FIXED, {}).items()}
            for locale in words.LOCALES
        }

    def email(
        self,
        template: str,
        locale: str,
        variables: Mapping[str, object],
        *,
        unsubscribe_url: str | None = None,
    ) -> RenderedEmail:
        """Render an e-mail.

        Args:
            template: One of ``Template``.
            locale: One of ``words.LOCALES``.
            variables: All that ``VARIABLES`` declares for the template; others are ignored.
            unsubscribe_url: Where the person can opt out of such messages; None where nobody can.

        Raises:
            RenderError: The template or locale is unknown, or a variable is missing or not as declared.
        """
        known, values = _prepare(template, locale, variables)
        text = self._blocks(known, locale, BLOCKS, values)
        text |= self._blocks(FRAME, locale, (GREETING,), values)
        text_body = text.pop("body")
        html_body = self._html.blocks(known, locale, ("body",), values)["body"]
        labels = {name: one_line(label) for name, label in text.items()}
        page = values | self._fixed[locale] | labels
        page["preheader"] = shorten(labels["message"], _PREHEADER_LIMIT)
        page["unsubscribe_url"] = unsubscribe_url
        return RenderedEmail(
            subject=shorten(labels["subject"], _SUBJECT_LIMIT),
            html=self._html.page(page | {"body": Markup(html_body)}),  # noqa: S704 - escaped as it was rendered
            text=tidy_lines(self._text.page(page | {"body": text_body})) + "\n",
        )

    def notice(self, template: str, locale: str, variables: Mapping[str, object]) -> RenderedNotice:
        """Render an in-app notification; arguments and errors as for ``email``."""
        known, values = _prepare(template, locale, variables)
        block = self._blocks(known, locale, ("title", "message"), values)
        return RenderedNotice(title=one_line(block["title"]), message=tidy_lines(block["message"]))

    def phone(self, template: str, locale: str, variables: Mapping[str, object]) -> RenderedPhone:
        """Render a phone message; arguments and errors as for ``email``."""
        known, values = _prepare(template, locale, variables)
        block = self._blocks(known, locale, PHONE_BLOCKS, values)
        return RenderedPhone(
            sms=tidy_lines(block["sms"]),
            whatsapp=f"{one_line(block['title'])}\n{tidy_lines(block['message'])}",
        )

    def _blocks(
        self, name: str, locale: str, wanted: Iterable[str], values: Mapping[str, object]
    ) -> dict[str, str]:
        """As plain text, before the same in HTML: what is undefined in one is so in the other."""
        try:
            return self._text.blocks(name, locale, wanted, values)
        except UndefinedError as error:
            raise RenderError(name, locale, error.message or "a value is undefined") from error


def _prepare(
    template: str, locale: str, variables: Mapping[str, object]
) -> tuple[Template, dict[str, object]]:
    if locale not in words.LOCALES:
        raise RenderError(template, locale, f"no such locale; there are {', '.join(words.LOCALES)}")
    known = code(template, locale)
    values = checked(known, locale, variables)
    return known, values | {"locale": locale, "tone": tone(known, values)}
