"""What each template may say about a person's affairs: its variables, declared once and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from services.notifications.template_codes import Template
from services.notifications.typography import one_line, tidy_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

_WEB_ADDRESS: Final = re.compile(r"https?://[^\s\x00-\x20\x7f<>\"'`\\]+")


class RenderError(Exception):
    """A message that cannot be worded; says which and why, and never quotes a value.

    Args:
        template: The template's code.
        locale: The locale asked for.
        problem: What is missing or wrong.
    """

    def __init__(self, template: str, locale: str, problem: str) -> None:
        super().__init__(f"template {template}, locale {locale}: {problem}")
        self.template = template
        self.locale = locale


class Kind(Enum):
    """What a variable holds."""

    LINE = auto()  # text on one line: a line break in a name must not begin a paragraph of ours
    LINES = auto()  # text whose line breaks are kept
    MINOR_UNITS = auto()  # a whole number
    COUNT = auto()  # a whole number from 1
    FLAG = auto()  # true or false
    DATE = auto()  # a day, as it is kept in JSON: 2026-12-21
    WEB_ADDRESS = auto()  # absolute, http or https


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a template.

    Attributes:
        kind: What it holds.
        optional: Whether it may be None, or blank, which is the same. It must be given all the same.
    """

    kind: Kind
    optional: bool = False


_LINE: Final = Variable(Kind.LINE)
COMMON: Final[Mapping[str, Variable]] = {
    "name": Variable(Kind.LINE, optional=True),
    "action_url": Variable(Kind.WEB_ADDRESS, optional=True),
}
_STEP: Final[Mapping[str, Variable]] = {"step": _LINE, "next_step": Variable(Kind.LINE, optional=True)}
_PAYMENT: Final[Mapping[str, Variable]] = {
    # A payment that was told of without its order has neither.
    "amount": Variable(Kind.MINOR_UNITS, optional=True),
    "currency": Variable(Kind.LINE, optional=True),
    "product": _LINE,
}
_DUE: Final[Mapping[str, Variable]] = {
    "amount": Variable(Kind.MINOR_UNITS),
    "currency": _LINE,
    "product": _LINE,
}
_OWN: Final[Mapping[Template, Mapping[str, Variable]]] = {
    Template.WELCOME: {"product": _LINE, "reference": _LINE},
    Template.DOCUMENT_RECEIVED: {"document": _LINE},
    Template.DOCUMENTS_DELIVERED: {"document": _LINE},
    Template.DOCUMENT_APPROVED: {"document": _LINE},
    Template.DOCUMENT_REJECTED: {"document": _LINE, "reason": Variable(Kind.LINES, optional=True)},
    Template.STEP_COMPLETED: _STEP,
    Template.STEP_COMPLETED_BY_ADVISER: _STEP,
    Template.DOSSIER_COMPLETED: {"product": _LINE, "reference": _LINE},
    Template.STATUS_CHANGED: {"status": _LINE, "reference": _LINE},
    Template.PAYMENT_RECEIVED: _PAYMENT,
    Template.PAYMENT_FAILED: _PAYMENT,
    Template.PAYMENT_REFUNDED: {**_PAYMENT, "reference": _LINE},
    Template.PAYMENT_LINK: {**_DUE, "expires_on": Variable(Kind.DATE, optional=True)},
    Template.PAYMENT_LINK_REMINDER: {**_DUE, "expires_on": Variable(Kind.DATE)},
    # The first reminder, those that follow and the last one are worded each in its own way.
    Template.REMINDER: {**_DUE, "number": Variable(Kind.COUNT), "last": Variable(Kind.FLAG)},
    Template.ORDER_CANCELLED: _PAYMENT,
    Template.WELCOME_BACK: {"product": _LINE, "reference": _LINE},
    Template.NEW_MESSAGE: {"reference": _LINE},
    Template.GENERIC: {"title": _LINE, "message": Variable(Kind.LINES)},
}

VARIABLES: Final[Mapping[Template, Mapping[str, Variable]]] = {
    template: {**COMMON, **_OWN[template]} for template in Template
}


def code(template: str, locale: str) -> Template:
    """The template of that name.

    Raises:
        RenderError: There is none.
    """
    try:
        return Template(template)
    except ValueError:
        raise RenderError(template, locale, f"no such template; there are {', '.join(Template)}") from None


def checked(template: Template, locale: str, given: Mapping[str, object]) -> dict[str, object]:
    """The template's variables, cleaned; what else was given is left out.

    Raises:
        RenderError: Some are missing or not what they should be; all of them are named.
    """
    values: dict[str, object] = {}
    problems: list[str] = []
    for name, variable in VARIABLES[template].items():
        if name not in given:
            problems.append(f"{name} is missing")
            continue
        try:
            values[name] = _checked(variable, given[name])
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise RenderError(template, locale, ", ".join(problems))
    return values


def _checked(variable: Variable, value: object) -> object:
    if variable.optional and (value is None or (isinstance(value, str) and not value.strip())):
        return None
    match variable.kind:
        case Kind.MINOR_UNITS:
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError("must be a whole number of minor units")  # noqa: TRY004 - a variable's content, not a caller's argument
            return value
        case Kind.COUNT:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError("must be a whole number from 1")
            return value
        case Kind.FLAG:
            if not isinstance(value, bool):
                raise ValueError("must be true or false")  # noqa: TRY004 - as above
            return value
        case Kind.DATE:
            return _date(value)
        case _:
            return _text(variable.kind, value)


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be a day such as 2026-12-21") from None


def _text(kind: Kind, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - as above
    text = tidy_lines(value) if kind is Kind.LINES else one_line(value)
    if not text:
        raise ValueError("is blank")
    if kind is Kind.WEB_ADDRESS and not _WEB_ADDRESS.fullmatch(text):
        raise ValueError("must be an absolute http or https address")
    return text
