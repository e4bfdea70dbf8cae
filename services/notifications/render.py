"""Turns a template's code and its variables into the words that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    UndefinedError,
    meta,
    pass_context,
)
from markupsafe import Markup

from services.notifications import words
from services.notifications.declarations import COMMON, VARIABLES, RenderError, checked
from services.notifications.template_codes import Template
from services.notifications.typography import FrenchSpacing, one_line, shorten, tidy_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from jinja2 import Template as CompiledTemplate
    from jinja2.runtime import Context

__all__ = ["RenderError", "RenderedEmail", "RenderedNotice", "Renderer"]

_FOLDER: Final = Path(__file__).with_name("templates")
_COMPONENTS: Final = ("p", "lines", "panel")
_BLOCKS: Final = frozenset({"subject", "title", "message", "body", "button"})
# What every message of a locale shares: greeting and signature, and the small print.
_FRAME: Final = "frame"
_FRAME_BLOCKS: Final = frozenset({"greeting", "closing", "fallback", "footer"})
_SUBJECT_LIMIT: Final = 150
_PREHEADER_LIMIT: Final = 140


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


class Renderer:
    """Renders every template in every locale; safe to share between threads.

    All templates are read, checked and compiled here, so that a program with a hole in its words does not
    start.

    Args:
        company: The company's name, as greetings and footer give it.

    Raises:
        RenderError: A template is missing, lacks a block, or uses a variable that it does not declare.
    """

    def __init__(self, company: str) -> None:
        self._text = _Medium(company, "txt")
        self._html = _Medium(company, "html")

    def email(self, template: str, locale: str, variables: Mapping[str, object]) -> RenderedEmail:
        """Render an e-mail.

        Args:
            template: One of ``Template``.
            locale: One of ``words.LOCALES``.
            variables: All that ``VARIABLES`` declares for the template; others are ignored.

        Raises:
            RenderError: The template or locale is unknown, or a variable is missing or not as declared.
        """
        code, values = _prepare(template, locale, variables)
        try:
            text = self._text.blocks(code, locale, _BLOCKS, values)
            frame = self._text.blocks(_FRAME, locale, _FRAME_BLOCKS, values)
            html_body = self._html.blocks(code, locale, ("body",), values)["body"]
        except UndefinedError as error:
            raise RenderError(template, locale, error.message or "a value is undefined") from error
        text_body = text.pop("body")
        labels = {name: one_line(label) for name, label in (text | frame).items()}
        page = values | labels | {"preheader": shorten(labels["message"], _PREHEADER_LIMIT)}
        return RenderedEmail(
            subject=shorten(labels["subject"], _SUBJECT_LIMIT),
            html=self._html.page(page | {"body": Markup(html_body)}),  # noqa: S704 - escaped as it was rendered
            text=tidy_lines(self._text.page(page | {"body": text_body})) + "\n",
        )

    def notice(self, template: str, locale: str, variables: Mapping[str, object]) -> RenderedNotice:
        """Render an in-app notification; arguments and errors as for ``email``."""
        code, values = _prepare(template, locale, variables)
        try:
            block = self._text.blocks(code, locale, ("title", "message"), values)
        except UndefinedError as error:
            raise RenderError(template, locale, error.message or "a value is undefined") from error
        return RenderedNotice(title=one_line(block["title"]), message=tidy_lines(block["message"]))


class _Medium:
    """HTML or plain text: one environment, with everything that can be rendered in it compiled.

    Args:
        company: The company's name, known to every template.
        suffix: ``html``, escaped automatically, or ``txt``, not escaped.
    """

    def __init__(self, company: str, suffix: str) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=suffix == "html",  # noqa: S701 - plain text is not to be escaped
            undefined=StrictUndefined,
            extensions=[FrenchSpacing],
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters["money"] = _money
        self._env.filters["status"] = _status
        # A template says {% call p() %}…{% endcall %}, and each medium has its own idea of a paragraph.
        components = self._env.get_template(f"components.{suffix}.j2").module
        self._env.globals = {name: getattr(components, name) for name in _COMPONENTS} | {"company": company}
        self._layout = self._env.get_template(f"layout.{suffix}.j2")
        self._compiled = {
            (name, locale): self._load(name, locale, declared, blocks)
            for locale in words.LOCALES
            for name, declared, blocks in (
                (_FRAME, COMMON.keys(), _FRAME_BLOCKS),
                *((code, VARIABLES[code].keys(), _BLOCKS) for code in Template),
            )
        }

    def blocks(
        self, name: str, locale: str, wanted: Iterable[str], values: Mapping[str, object]
    ) -> dict[str, str]:
        """Render some blocks of one template."""
        compiled = self._compiled[name, locale]
        context = compiled.new_context(dict(values))
        return {block: "".join(compiled.blocks[block](context)) for block in wanted}

    def page(self, values: Mapping[str, object]) -> str:
        """Render the layout around what is in ``values``."""
        return self._layout.render(values)

    def _load(
        self, name: str, locale: str, declared: AbstractSet[str], blocks: AbstractSet[str]
    ) -> CompiledTemplate:
        path = f"{locale}/{name}.j2"
        try:
            compiled = self._env.get_template(path)
        except TemplateError as error:
            raise RenderError(name, locale, f"templates/{path}: {error}") from error
        source = (_FOLDER / path).read_text(encoding="utf-8")
        unknown = (
            meta.find_undeclared_variables(self._env.parse(source)) - declared - self._env.globals.keys()
        )
        problems = [f"lacks the block {block}" for block in sorted(blocks - compiled.blocks.keys())]
        problems += [f"uses the undeclared variable {variable}" for variable in sorted(unknown)]
        if problems:
            raise RenderError(name, locale, f"templates/{path} " + " and ".join(problems))
        return compiled


def _prepare(
    template: str, locale: str, variables: Mapping[str, object]
) -> tuple[Template, dict[str, object]]:
    try:
        code = Template(template)
    except ValueError:
        raise RenderError(template, locale, f"no such template; there are {', '.join(Template)}") from None
    if locale not in words.LOCALES:
        raise RenderError(template, locale, f"no such locale; there are {', '.join(words.LOCALES)}")
    return code, checked(code, locale, variables) | {"locale": locale}


@pass_context
def _money(context: Context, amount: int, currency: str) -> str:
    return words.money(amount, currency, context["locale"])


@pass_context
def _status(context: Context, code: str) -> str:
    return words.status_label(code, context["locale"])
