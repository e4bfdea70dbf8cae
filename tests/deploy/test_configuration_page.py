"""docs/configuration.md and .env.example are what the settings make them, and true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values

from tests.deploy.composed import COMPOSE_FILE, ROOT
from tests.deploy.conftest import FILLED_IN
from workers.settings import Settings, variable_name
from workers.settings.page import entries, example, reference
from workers.settings.sources import SECRETS_DIR

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = ROOT / ".env.example"
REQUIRED = {variable_name(name) for name, field in Settings.model_fields.items() if field.is_required()}


@pytest.mark.parametrize(
    ("file", "made", "mend"),
    [
        ("docs/configuration.md", reference, "fleet settings reference > docs/configuration.md"),
        (".env.example", example, "fleet settings example > .env.example"),
    ],
    ids=["reference", "example"],
)
def test_the_files_are_as_the_settings_make_them(file: str, made: Callable[[], str], mend: str) -> None:
    assert (ROOT / file).read_text("utf-8") == made(), f"the settings have changed; run: {mend}"


def test_every_setting_is_described_once() -> None:
    described = entries()
    assert sorted(entry.name for entry in described) == sorted(Settings.variables())
    for entry in described:
        assert entry.text.endswith("."), f"{entry.name} has no description"
        assert "|" not in entry.text, f"{entry.name}: a bar ends a table's cell"


def test_the_defaults_on_the_page_are_those_of_the_program() -> None:
    addresses = {"DATABASE_URL": "postgresql://127.0.0.1/app", "REDIS_URL": "redis://127.0.0.1/0"}
    required = {name: value for name, value in (FILLED_IN | addresses).items() if name in REQUIRED}
    told = {entry.name: entry.default for entry in entries() if entry.default is not None}
    assert Settings.model_validate(required | told) == Settings.model_validate(required)


def test_the_example_gives_nothing_a_value() -> None:
    names = dotenv_values(EXAMPLE)
    assert set(names) == {*Settings.variables(), SECRETS_DIR}
    assert {name for name, value in names.items() if value} == set()


def test_the_compose_file_asks_for_nothing_that_the_example_lacks() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_FILE.read_text("utf-8")))
    assert asked <= set(dotenv_values(EXAMPLE))
