"""The pictures of docs/templates.md and README.md, taken in a real, headless Chromium.

``PICTURES=write`` takes them anew, and writes the page's texts; without it, what is there is looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from services.notifications.template_codes import Template
from tests.browser import Browser
from tests.notifications.pictured import HEADING, PAGE, PICTURES, TAKEN, digests, email, section
from tests.photographs import WRITE, shown, take
from workers.dev.sandbox.gallery import in_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH = 600
TOLERANCE = 0.1
"""Fonts differ from machine to machine, and with them where lines end."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium"), WIDTH) as browser:
        yield browser


@pytest.mark.parametrize("template", list(Template))
def test_an_email_has_its_picture(template: Template, browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "email.html"
    page.write_text(in_scheme(email(template).html, "light"), encoding="utf-8")
    browser.open(page.as_uri())
    height = browser.run("return Math.ceil(document.body.getBoundingClientRect().height);")
    picture = PICTURES / f"{template}.webp"
    if WRITE:
        take(browser, picture, WIDTH, height)
    assert shown(browser, picture) == pytest.approx((WIDTH, height), rel=TOLERANCE)


def test_the_page_is_written() -> None:
    if WRITE:
        above, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
        PAGE.write_text(f"{above}{heading}{section()}", encoding="utf-8")
        TAKEN.write_text(f"{json.dumps(digests(), indent=2)}\n", encoding="utf-8")
    assert section() in PAGE.read_text(encoding="utf-8")
