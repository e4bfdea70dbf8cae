"""HTML and plain text: what a template is read with, and what both make of a paragraph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, meta, pass_context
from markupsafe import Markup

from services.notifications import words
from services.notifications.declarations import COMMON, VARIABLES, RenderError
from services.notifications.template_codes import Template
from services.notifications.tones import Tone
from services.notifications.typography import FrenchSpacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import date

    from jinja2 import Template as CompiledTemplate
    from jinja2.runtime import Context

FOLDER: Final = Path(__file__).with_name("templates")
BLOCKS: Final = frozenset({"subject", "title", "message", "body", "button"})
"""What every template says."""
PHONE_BLOCKS: Final = frozenset({"title", "message", "sms"})
"""What it says on a phone."""
FRAME: Final = "frame"
"""What every message of a locale shares: greeting and signature, and the small print."""
GREETING: Final = "greeting"
"""The block of the frame that differs from person to person."""
FIXED: Final = frozenset({"closing", "fallback", "footer", "opt_out", "unsubscribe"})
"""Those that do not."""

_COMPONENTS: Final = ("p", "lines", "panel")
# What mail clients show beside the subject is to end with the preheader: these leave no room for more.
_PADDING: Final = Markup("&#847;&zwnj;&nbsp;") * 60


class Medium:
    """HTML or plain text: one environment, with everything that can be rendered in it compiled.

    Args:
        suffix: ``html``, escaped automatically, or ``txt``, not escaped.
        shared: What every template knows.
        folder: Where the templates are.

    Raises:
        RenderError: A template is missing or can't be read.
    """

    def __init__(self, suffix: str, shared: Mapping[str, object], folder: Path) -> None:
        self._folder = folder
        self._env = Environment(
            loader=_DressedLoader(folder),
            autoescape=suffix == "html",  # noqa: S701 - plain text is not to be escaped
            undefined=StrictUndefined,
            extensions=[FrenchSpacing],
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters |= {
            "money": _money,
            "status": _status,
            "date": _date,
            "flowing": _flowing,
            "lined": _lined,
        }
        self._env.globals = {**shared, "padding": _PADDING} | self._components(f"components.{suffix}.j2")
        self._layout = self._env.get_template(f"layout.{suffix}.j2")
        self._compiled = {
            (name, locale): self._load(name, locale)
            for locale in words.LOCALES
            for name in (FRAME, *Template)
        }

    def check(self) -> None:
        """See that there is no hole in the words; what holds for one medium holds for the other.

        Raises:
            RenderError: A template lacks a block, or uses a variable that it does not declare.
        """
        for name, locale in self._compiled:
            if name == FRAME:
                self._check(name, locale, COMMON.keys(), FIXED | {GREETING})
            else:
                self._check(name, locale, VARIABLES[Template(name)].keys(), BLOCKS | PHONE_BLOCKS)

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

    def _components(self, path: str) -> dict[str, object]:
        """A template says {% call p() %}…{% endcall %}, and each medium has its own idea of a paragraph."""
        template = self._env.get_template(path)
        in_tone = {tone: template.make_module({"tone": tone}) for tone in Tone}

        def component(name: str) -> Callable[..., str]:
            macros = {tone: getattr(module, name) for tone, module in in_tone.items()}

            @pass_context
            def in_tone_of_the_message(context: Context, caller: Callable[[], str]) -> str:
                written: str = macros[context["tone"]](caller=caller)
                return written

            return in_tone_of_the_message

        return {name: component(name) for name in _COMPONENTS}

    def _load(self, name: str, locale: str) -> CompiledTemplate:
        path = f"{locale}/{name}.j2"
        try:
            return self._env.get_template(path)
        except TemplateError as error:
            raise RenderError(name, locale, f"templates/{path}: {error}") from error

    def _check(self, name: str, locale: str, declared: AbstractSet[str], blocks: AbstractSet[str]) -> None:
        path = f"{locale}/{name}.j2"
        source = (self._folder / path).read_text(encoding="utf-8")
        used = meta.find_undeclared_variables(self._env.parse(source))
        unknown = used - declared - self._env.globals.keys()
        lacking = blocks - self._compiled[name, locale].blocks.keys()
        problems = [f"lacks the block {block}" for block in sorted(lacking)]
        problems += [f"uses the undeclared variable {variable}" for variable in sorted(unknown)]
        if problems:
            raise RenderError(name, locale, f"templates/{path} " + " and ".join(problems))


class _DressedLoader(FileSystemLoader):
    """Reads templates; those in HTML come with the rules of ``email.css`` written into their elements.

    The rules are applied to the template's source, once: mail for mail, it would take longer than to render.
    """

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The source, as Jinja asks for it."""
        source, path, unchanged = super().get_source(environment, template)
        if template.endswith(".html.j2"):
            rules = Path(path).with_name("email.css").read_text(encoding="utf-8")
            inliner = CSSInliner(extra_css=rules, keep_style_tags=True, load_remote_stylesheets=False)
            whole = source.startswith("<!DOCTYPE")
            source = inliner.inline(source) if whole else inliner.inline_fragment(source, rules)
            source = source.replace(' data-css-inline="ignore"', "")
        return source, path, unchanged


@pass_context
def _money(context: Context, amount: int, currency: str) -> str:
    return words.money(amount, currency, context["locale"])


@pass_context
def _status(context: Context, code: str) -> str:
    return words.status_label(code, context["locale"])


@pass_context
def _date(context: Context, day: date) -> str:
    return words.day(day, context["locale"])


def _flowing(text: str) -> str:
    """The text as one paragraph: where its lines end in the template's file is no matter."""
    return text.strip().replace("\n", " ")


def _lined(text: str) -> str:
    """The text with its lines; in HTML each ends with a break."""
    return text.strip().replace("\n", Markup("<br>") if isinstance(text, Markup) else "\n")
