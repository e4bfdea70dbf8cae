"""The reference of all settings and the example of an ``.env``, made from the groups."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from datetime import time
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, get_args

from pydantic import HttpUrl

from workers.settings.group import Group
from workers.settings.kinds import Unit
from workers.settings.sources import SECRETS_DIR, variable_name
from workers.settings.whole import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic.fields import FieldInfo

_HEAD: Final = """\
<!-- Made by `fleet settings reference` from workers/settings: change it there. -->

# Configuration

Settings come from the environment, behind it from a file `.env` in the working folder, and behind both from
[files of secrets](#secrets-in-files). A name without a value counts as not set. A missing or malformed
setting stops the start with exit code 2 and one message that lists all of them. `fleet settings` shows what
is set and where it comes from, and warns of names that look like a setting's and are none. `fleet db …`,
`fleet explain` and other commands that only look at the database need `DATABASE_URL` only. `.env.example`
lists every name.

## Required

"""

_BETWEEN: Final = f"""
## Secrets in files

Every setting may be given as a file that is named like its variable, in capitals or not, and holds its
value. The newline at its end does not count. The folder is the first of these that there is:

1. the one that `{SECRETS_DIR}` names, in the environment or in `.env`; it must exist;
2. `$CREDENTIALS_DIRECTORY`, where systemd's `LoadCredential=` puts files;
3. `/run/secrets`, where containers have them.

A file that the process may not read stops the start.

## With a default
"""


_EXAMPLE_HEAD: Final = (
    "# Made by `fleet settings example`. Copy it to .env and fill it in.",
    "# A name without a value counts as not set.",
    "# docs/configuration.md describes each.",
    "",
    "# Required by every process, here, in its environment or as files of secrets.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting, as the reference has it.

    Attributes:
        name: Its variable.
        heading: Of its group.
        default: As it would be written; empty where there is none. None where the setting is required.
        unit: What it counts; may be empty.
        text: What it is, in Markdown.
    """

    name: str
    heading: str
    default: str | None
    unit: str
    text: str


def entries() -> list[Entry]:
    """Describe every setting, those of a group together."""
    return [
        Entry(
            name=variable_name(field),
            heading=_heading(group),
            default=None if info.is_required() else written(info.default),
            unit=next((part.name for part in parts(info) if isinstance(part, Unit)), ""),
            text=texts[field],
        )
        for group in reversed(Settings.__mro__)
        if issubclass(group, Group)
        for texts in [_texts(group)]
        for field, info in Settings.model_fields.items()
        if field in vars(group).get("__annotations__", {})
    ]


def reference() -> str:
    """Make ``docs/configuration.md``."""
    required = [entry for entry in entries() if entry.default is None]
    lines = ["| name | what |", "|---|---|", *(f"| `{entry.name}` | {entry.text} |" for entry in required)]
    return f"{_HEAD}{_joined(lines)}{_BETWEEN}{_joined(_with_defaults())}"


def example() -> str:
    """Make ``.env.example``."""
    return _joined(_example())


def written(value: object) -> str:
    """Write a value as one would set it; empty for none.

    Args:
        value: What a field holds that is no secret.
    """
    match value:
        case None:
            told = ""
        case bool():
            told = str(value).lower()
        case float():
            told = f"{value:g}"
        case time():
            told = f"{value:%H:%M}"
        case HttpUrl():
            told = str(value).rstrip("/")
        case frozenset():
            told = ",".join(sorted(value))
        case _:
            told = str(value)
    return told


def parts(info: FieldInfo) -> Iterator[object]:
    """Give everything that a field's type is made of: types and what is annotated to them."""
    yield from info.metadata
    yield from _inside(info.annotation)


def _inside(annotation: object) -> Iterator[object]:
    yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)


def _with_defaults() -> Iterator[str]:
    optional = [entry for entry in entries() if entry.default is not None]
    for heading, group in groupby(optional, key=lambda entry: entry.heading):
        yield from ("", f"### {heading}", "", "| name | default | unit | what |", "|---|---|---|---|")
        for entry in group:
            default = f" `{entry.default}` " if entry.default else " "
            unit = f" {entry.unit} " if entry.unit else " "
            yield f"| `{entry.name}` |{default}|{unit}| {entry.text} |"


def _example() -> Iterator[str]:
    every = entries()
    yield from _EXAMPLE_HEAD
    yield from (f"{entry.name}=" for entry in every if entry.default is None)
    yield ""
    yield "# A folder of files that are named like these variables and hold their values."
    yield f"{SECRETS_DIR}="
    optional = (entry for entry in every if entry.default is not None)
    for heading, group in groupby(optional, key=lambda entry: entry.heading):
        yield ""
        yield f"# {heading}."
        yield from (f"{entry.name}=" for entry in group)


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _heading(group: type[Group]) -> str:
    return (group.__doc__ or "").partition("\n")[0].rstrip(".")


def _texts(group: type[Group]) -> Mapping[str, str]:
    """The strings below the fields of a group. Pydantic can read them too, but at every process's start."""
    definition = ast.parse(inspect.getsource(group)).body[0]
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    texts: dict[str, str] = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = " ".join(text.split())
    return texts
