"""docs/configuration.md and .env.example name exactly the settings there are, with their defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from tests.deploy.composed import COMPOSE_FILE, ROOT
from tests.deploy.conftest import FILLED_IN
from workers.settings import Settings, variable_name

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = (ROOT / "docs/configuration.md").read_text("utf-8")
EXAMPLE = ROOT / ".env.example"
ROW = re.compile(r"^\| `([A-Z_]+)` \|(.*)\|$", re.MULTILINE)

REQUIRED = {variable_name(name) for name, field in Settings.model_fields.items() if field.is_required()}
OPTIONAL = {variable_name(name) for name in Settings.model_fields} - REQUIRED

# Read by docker-compose.yml, not by the fleet.
COMPOSE_ONLY = {"POSTGRES_PASSWORD"}


def _rows(heading: str) -> dict[str, list[str]]:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = ROW.findall(section)
    assert len(found) == len(dict(found)), "a setting is described twice"
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in found}


def test_the_page_describes_exactly_the_required_settings() -> None:
    assert set(_rows("Required")) == REQUIRED


def test_the_page_describes_exactly_the_settings_with_a_default() -> None:
    assert set(_rows("With a default")) == OPTIONAL


def test_the_defaults_on_the_page_are_those_of_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in REQUIRED | OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    addresses = {"DATABASE_URL": "postgresql://127.0.0.1/app", "REDIS_URL": "redis://127.0.0.1/0"}
    required = {name: value for name, value in (FILLED_IN | addresses).items() if name in REQUIRED}
    told = {name: cells[0].strip("`") for name, cells in _rows("With a default").items()}
    assert Settings.model_validate(required | told) == Settings.model_validate(required)


def test_every_setting_is_explained() -> None:
    for heading in ("Required", "With a default"):
        for name, cells in _rows(heading).items():
            assert cells[-1], f"{name} has no explanation"


def test_the_example_names_exactly_the_settings_and_gives_none_a_value() -> None:
    example = dotenv_values(EXAMPLE)
    assert set(example) == REQUIRED | OPTIONAL | COMPOSE_ONLY
    assert {name for name, value in example.items() if value} == set()


def test_the_compose_file_asks_for_nothing_that_the_example_lacks() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_FILE.read_text("utf-8")))
    assert asked - set(dotenv_values(EXAMPLE)) == set()
    assert asked >= COMPOSE_ONLY
