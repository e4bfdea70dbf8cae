"""docs/templates.md lists the messages as they are declared and routed, and shows each as it is now."""

from __future__ import annotations

import re

from services.notifications.catalogue import ROUTES
from services.notifications.declarations import COMMON, VARIABLES
from services.notifications.template_codes import Template
from tests.notifications.pictured import HEADING, PAGE, PICTURES, digests, section, taken

_ROW = re.compile(r"^\| `([A-Z_]+)` \|.*\|$", re.MULTILINE)
_ANEW = "make browser PICTURES=write takes the pictures anew"
_OTHERS = {"overview.webp", "taken.json"}
"""What is in the folder beside the messages' pictures."""


def row(template: Template) -> str:
    declared = {name: variable for name, variable in VARIABLES[template].items() if name not in COMMON}
    own = ", ".join(f"`{name}`{'?' if variable.optional else ''}" for name, variable in declared.items())
    route = ROUTES[template]
    opt_out = "" if route.mandatory else f" {route.category}"
    return f"| `{template}` | {own} | {', '.join(route.channels)} |{opt_out} |"


def test_the_page_lists_every_message() -> None:
    found = [match[0] for match in _ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    assert found == [row(template) for template in Template]


def test_the_page_shows_every_message_as_it_reads() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(HEADING)[2] == section(), _ANEW


def test_the_pictures_are_of_the_messages_as_they_are() -> None:
    assert taken() == digests(), _ANEW


def test_every_message_has_a_picture_and_no_other_is_left() -> None:
    expected = {f"{template}.webp" for template in Template} | _OTHERS
    assert {file.name for file in PICTURES.iterdir()} == expected


def test_the_pictures_are_small() -> None:
    assert sum(file.stat().st_size for file in PICTURES.iterdir()) < 1_500_000
