"""WhatsApp's approved templates: which one says what one of ours says, from a file that the operator keeps.

::

    [WELCOME.fr]
    sid = "HX00000000000000000000000000000001"
    variables = ["name", "product"]

``{{1}}`` of the approved template is then the person's name, and ``{{2}}`` the product.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from providers.base import ContentTemplate
from services.notifications import words
from services.notifications.declarations import VARIABLES, checked
from services.notifications.template_codes import Template
from services.notifications.typography import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SID: Final = re.compile("HX[0-9a-fA-F]{32}")
# WhatsApp takes 1,024 characters for a template's whole text, its places filled in.
_VALUE_LIMIT: Final = 400


class MappingError(Exception):
    """The mapping file can't be used; the message lists all that is wrong with it."""


class IncompleteError(Exception):
    """A place of an approved template has nothing to be filled with; WhatsApp refuses empty ones."""


@dataclass(frozen=True, slots=True)
class ApprovedTemplate:
    """One approved template, in one language.

    Attributes:
        sid: The provider's id of it.
        variables: What fills its places 1, 2, …, by our names.
    """

    sid: str
    variables: tuple[str, ...]


ApprovedTemplates = dict[tuple[Template, str], ApprovedTemplate]
"""By our template and the locale."""


def load(path: Path | None) -> ApprovedTemplates:
    """Read the mapping file; where there is none, no template is approved.

    Raises:
        MappingError: It can't be read, or names what there is not.
    """
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MappingError(f"{path.name} can't be read: {error}") from error
    found: ApprovedTemplates = {}
    problems: list[str] = []
    for code, by_locale in tables.items():
        for locale, entry in by_locale.items() if isinstance(by_locale, dict) else [("", by_locale)]:
            try:
                template = _ours(code, locale)
                found[template, locale] = _approved(template, entry)
            except ValueError as error:
                problems.append(f"[{code}.{locale}] {error}" if locale else f"{code} {error}")
    if problems:
        raise MappingError(f"{path.name}: {'; '.join(problems)}")
    return found


def fill(
    approved: ApprovedTemplate, template: Template, locale: str, values: Mapping[str, object]
) -> ContentTemplate:
    """The approved template with its places filled, in the words that our own templates use.

    Args:
        approved: What to fill.
        template: Ours, whose variables they are.
        locale: One of ``words.LOCALES``.
        values: All that ``VARIABLES`` declares for the template.

    Raises:
        IncompleteError: A variable that the approved template needs is not known of this person.
        RenderError: A variable is missing or not as declared.
    """
    known = checked(template, locale, values)
    filled = {name: _in_words(name, known, locale) for name in approved.variables}
    unknown = sorted(name for name, value in filled.items() if not value)
    if unknown:
        raise IncompleteError(f"the approved template needs {', '.join(unknown)}, which this message lacks")
    return ContentTemplate(
        approved.sid, {str(place): filled[name] for place, name in enumerate(approved.variables, start=1)}
    )


def _in_words(name: str, known: Mapping[str, object], locale: str) -> str:
    match name, known[name]:
        case _, None:
            return ""
        case "amount", int(amount):
            return words.money(amount, str(known["currency"]), locale)
        case "status", str(status):
            return words.status_label(status, locale)
        case _, date() as day:
            return words.day(day, locale)
        case "action_url", str(link):
            return link
        case _, value:
            # WhatsApp refuses line breaks in a place.
            return shorten(one_line(str(value)), _VALUE_LIMIT)


def _ours(code: str, locale: str) -> Template:
    if code not in set(Template):
        raise ValueError(f"is no template of ours; there are {', '.join(Template)}")
    if locale not in words.LOCALES:
        raise ValueError(f"is for no locale of ours: write [{code}.…] with {' or '.join(words.LOCALES)}")
    return Template(code)


def _approved(template: Template, entry: object) -> ApprovedTemplate:
    match entry:
        case {"sid": str(sid), "variables": [*names], **others} if not others:
            pass
        case _:
            raise ValueError('must have sid = "HX…" and variables = […], and nothing else')
    if not _SID.fullmatch(sid):
        raise ValueError("has a sid that is not HX and 32 hexadecimal digits")
    unknown = [str(name) for name in names if name not in VARIABLES[template]]
    if unknown:
        declared = ", ".join(VARIABLES[template])
        raise ValueError(f"names {', '.join(unknown)}, which it does not have; it has {declared}")
    return ApprovedTemplate(sid, tuple(names))
