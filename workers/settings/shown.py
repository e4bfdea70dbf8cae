"""What is set, and where it comes from, without a character of any secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from workers.settings.kinds import ServerUrl
from workers.settings.page import parts, written
from workers.settings.sources import SECRETS_DIR, SettingsError, sources
from workers.settings.whole import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pydantic.fields import FieldInfo

_OWN: Final = "FLEET_"

# What the tests and benchmarks read.
_NO_SETTINGS: Final = frozenset({SECRETS_DIR, "FLEET_LIFE_STEPS", "FLEET_LIVES", "FLEET_ORDERS"})

# Every part is told apart for sure, or nothing of the URL is shown: a password may hold any character.
_URL: Final = re.compile(
    r"(?P<scheme>[a-z+]+://)"
    r"(?:(?P<user>[^:@/?#]*):[^@/?#]*@|[^:@/?#]*@)?"
    r"(?P<rest>(?:[\w.-]*|\[[\da-fA-F:.]+\])(?::\d+)?(?:,[\w.-]+(?::\d+)?)*(?:/[\w./%-]*)?)"
    r"(?P<query>\?[^@]*)?"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting, as it may be shown.

    Attributes:
        name: Its variable.
        value: Empty where there is none. Of a secret only whether it is set, and of what is malformed, that.
        source: ``environment``, ``.env``, ``file`` or ``default``; ``missing`` where it must be set.
    """

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that looks like a setting's and is none.

    Attributes:
        name: The name.
        source: Where it stands: ``environment`` or ``.env``.
        nearest: The setting that may be meant.
    """

    name: str
    source: str
    nearest: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that there is to say about the settings.

    Attributes:
        settings: Every setting.
        unknown: Names that are no setting's.
        refusal: Why no process would start.
    """

    settings: list[Shown]
    unknown: list[Unknown]
    refusal: SettingsError | None


def report() -> Report:
    """Look at everything that is set.

    Raises:
        SettingsError: A place that gives settings can't be read.
    """
    refusal = _refusal()
    malformed = refusal.malformed if refusal else frozenset()
    return Report(list(_shown(malformed)), list(unknown()), refusal)


def unknown() -> Iterator[Unknown]:
    """Give the names that begin as the fleet's own do, and are no setting's."""
    known = Settings.variables()
    for place in sources(known):
        for name in sorted(place.values):
            if name.startswith(_OWN) and name not in known and name not in _NO_SETTINGS:
                yield Unknown(name, place.name, next(iter(get_close_matches(name, known, 1)), None))


def without_password(url: str) -> str:
    """Give a URL without its password and its query.

    Args:
        url: As it was set. One whose parts can't be told apart is not shown.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return "set"
    user = f"{found['user']}@" if found["user"] else ""
    return f"{found['scheme']}{user}{found['rest']}{'?…' if found['query'] else ''}"


def _refusal() -> SettingsError | None:
    try:
        Settings.load()
    except SettingsError as error:
        return error
    return None


def _shown(malformed: Collection[str]) -> Iterator[Shown]:
    places = sources(Settings.variables())
    for name, field in Settings.variables().items():
        info = Settings.model_fields[field]
        place = next((place for place in places if name in place.values), None)
        if place is not None:
            told = "malformed" if name in malformed else _told(info, place.values[name])
            yield Shown(name, told, place.name)
        elif info.is_required():
            yield Shown(name, "", "missing")
        else:
            yield Shown(name, "not set" if _is_secret(info) else written(info.default), "default")


def _told(info: FieldInfo, value: str) -> str:
    if _is_secret(info):
        return "set"
    return without_password(value) if "://" in value else value


def _is_secret(info: FieldInfo) -> bool:
    every = list(parts(info))
    return SecretStr in every and ServerUrl() not in every
