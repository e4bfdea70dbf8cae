"""Stripe's forms: names with brackets, read into what they mean.

Source: Stripe's API reference. What is not known is refused, so that a typing error does not pass for an
option; so is what Stripe knows and the sandbox does not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl

from workers.dev.sandbox.stripe_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

# A kind of value; a choice of words; the shape of each member of a list; the shapes of named fields; a span
# of time; marks of the caller's own.
Shape: TypeAlias = "type | frozenset[str] | list[Shape] | Mapping[str, Shape] | _Metadata | _Span"

_NAME = re.compile(r"[^\[\]]+(\[[^\[\]]*\])*")
_INDEX = re.compile(r"[0-9]{1,4}")
_MOST_MARKS, _LONGEST_MARK, _LONGEST_VALUE = 50, 40, 500
_BOUNDS: Final = frozenset({"gt", "gte", "lt", "lte"})


class _Metadata:
    """The caller's own marks, at most 50."""


class _Span:
    """A moment, or bounds of moments; read as bounds."""


METADATA: Final = _Metadata()
SPAN: Final = _Span()


def read(encoded: str, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The parameters of a form or a query. A parameter that is empty counts as not given.

    Args:
        encoded: As sent.
        shapes: What is known, by name.

    Raises:
        Refusal: It does not fit.
    """
    given: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        if not _NAME.fullmatch(name):
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        _put(given, re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name), value)
    return _fields(given, shapes, "")


def _put(given: dict[str, Any], path: list[str], value: str) -> None:
    for index, step in enumerate(path):
        key = step or str(len(given))
        if index == len(path) - 1:
            given[key] = value
            return
        below = given.setdefault(key, {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid object: {'.'.join(path[: index + 1])}", param=path[0])
        given = below


def _fields(given: dict[str, Any], shapes: Mapping[str, Shape], place: str) -> dict[str, Any]:
    read_so_far = {}
    for name, value in given.items():
        param = f"{place}[{name}]" if place else name
        if name not in shapes:
            raise invalid(f"Received unknown parameter: {param}", param=param, code="parameter_unknown")
        if value != "":
            read_so_far[name] = _value(value, shapes[name], param)
    return read_so_far


def _value(value: Any, shape: Shape, param: str) -> Any:
    match shape:
        case list():
            if not isinstance(value, dict) or not all(_INDEX.fullmatch(key) for key in value):
                raise invalid("Invalid array", param=param)
            ordered = sorted(value.items(), key=lambda item: int(item[0]))
            return [_value(each, shape[0], f"{param}[{index}]") for index, (_, each) in enumerate(ordered)]
        case _Metadata():
            return _metadata(value, param)
        case _Span():
            if isinstance(value, dict):
                return _fields(value, dict.fromkeys(_BOUNDS, int), param)
            return dict.fromkeys(("gte", "lte"), _plain(value, int, param))
        case type() | frozenset():
            return _plain(value, shape, param)
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=param)
    return _fields(value, shape, param)


def _plain(value: Any, shape: type | frozenset[str], param: str) -> str | int | bool:
    if not isinstance(value, str):
        raise invalid("Invalid string: an object was given", param=param)
    if shape is int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise invalid(f"Invalid integer: {value[:100]}", param=param, code="parameter_invalid_integer")
        return int(value)
    if shape is bool:
        if value not in {"true", "false"}:
            raise invalid(f"Invalid boolean: {value[:100]}", param=param)
        return value == "true"
    if isinstance(shape, frozenset) and value not in shape:
        words = ", ".join(sorted(shape))
        raise invalid(f"Invalid {param}: must be one of {words}", param=param)
    return value


def _metadata(value: Any, param: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise invalid("Invalid object", param=param)
    marks = {name: text for name, text in value.items() if text}
    if len(marks) > _MOST_MARKS:
        raise invalid(f"You can have up to {_MOST_MARKS} metadata keys, not {len(marks)}.", param=param)
    for name, text in marks.items():
        if len(name) > _LONGEST_MARK:
            raise invalid(f"Metadata keys can be up to {_LONGEST_MARK} characters long.", param=param)
        if len(text) > _LONGEST_VALUE:
            message = f"Metadata values can have up to {_LONGEST_VALUE} characters; {name} has {len(text)}."
            raise invalid(message, param=f"{param}[{name}]")
    return marks


def only_one(given: Mapping[str, Any], *names: str) -> None:
    """Refuse a request that gives more than one of these.

    Raises:
        Refusal: It does.
    """
    if len(both := [name for name in names if name in given]) > 1:
        raise invalid(f"You may only specify one of these parameters: {', '.join(names)}.", param=both[-1])


def needed(given: Mapping[str, Any], name: str, place: str = "") -> Any:
    """A parameter that must be there.

    Raises:
        Refusal: It is not.
    """
    if name not in given:
        param = f"{place}[{name}]" if place else name
        raise invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")
    return given[name]
