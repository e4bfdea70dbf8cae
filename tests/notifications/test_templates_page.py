"""docs/templates.md lists the messages as they are declared and routed."""

from __future__ import annotations

import re
from pathlib import Path

from services.notifications.catalogue import ROUTES
from services.notifications.declarations import COMMON, VARIABLES
from services.notifications.template_codes import Template

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"
_ROW = re.compile(r"^\| `([A-Z_]+)` \|.*\|$", re.MULTILINE)


def row(template: Template) -> str:
    declared = {name: variable for name, variable in VARIABLES[template].items() if name not in COMMON}
    own = ", ".join(f"`{name}`{'?' if variable.optional else ''}" for name, variable in declared.items())
    route = ROUTES[template]
    opt_out = "" if route.mandatory else f" {route.category}"
    return f"| `{template}` | {own} | {', '.join(route.channels)} |{opt_out} |"


def test_the_page_lists_every_message() -> None:
    found = [match[0] for match in _ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    assert found == [row(template) for template in Template]
