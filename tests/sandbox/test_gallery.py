"""The gallery: every message is there, framed so that nothing in it acts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from services.notifications import words
from services.notifications.template_codes import Template
from tests.sandbox.test_pages import Elements, get

if TYPE_CHECKING:
    from workers.dev.sandbox.client import SandboxClient

VARIANTS_MORE = 2  # reminders: the first, those that follow, the last


@pytest.mark.parametrize("locale", words.LOCALES)
def test_every_message_hangs_in_every_size_and_scheme(sandbox: SandboxClient, locale: str) -> None:
    answer = get(sandbox, f"/gallery?locale={locale}")
    page = Elements(answer.data.decode())
    frames = page.of("iframe")
    assert len(frames) == 4 * (len(Template) + VARIANTS_MORE)
    assert all(frame["sandbox"] == "" for frame in frames)
    assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    addresses = [str(frame["src"]) for frame in frames]
    for template in Template:
        assert any(address.startswith(f"/gallery/{template}/{locale}/") for address in addresses)
    for address in addresses[:4]:
        framed = get(sandbox, address)
        assert framed.status == 200
        assert f'<html lang="{locale}">' in framed.data.decode()
        policy = framed.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'self'", "sandbox"} <= set(policy)


def test_one_message_alone_and_what_there_is_not(sandbox: SandboxClient) -> None:
    page = Elements(get(sandbox, "/gallery/WELCOME").data.decode())
    assert len(page.of("iframe")) == 4
    assert get(sandbox, "/gallery/REMINDER/en/last?scheme=dark").status == 200
    for path in (
        *("/gallery/FAREWELL", "/gallery?locale=de", "/gallery/WELCOME/fr/last"),
        *("/gallery/WELCOME/fr/usual?scheme=sepia", "/gallery/WELCOME/de/usual"),
    ):
        assert get(sandbox, path).status == 404


def test_a_scheme_is_forced_whatever_the_browser_prefers(sandbox: SandboxClient) -> None:
    light, dark = (
        get(sandbox, f"/gallery/WELCOME/fr/usual?scheme={scheme}").data.decode()
        for scheme in ("light", "dark")
    )
    assert "prefers-color-scheme" not in light + dark
    assert re.search(r"@media all \{\s*\.ground \{ background-color: #191A1D", dark)
    assert "@media not all {" in light
