"""The phone page in a real, headless Chromium: what a person sees once its script has run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from tests.sandbox.browser_mail import chromium, dom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workers.dev.sandbox.client import SandboxClient

__all__ = ["chromium"]  # a fixture

PHONE = "+33639981234"
HOSTILE = "<script>fetch('/sandbox/api/messages', {method: 'DELETE'})</script><b>gras</b>"


def test_the_phones_are_listed_and_live(
    chromium: list[str],
    sandbox: SandboxClient,
    send: Callable[..., Any],
) -> None:
    send(PHONE, "Votre « Passeport » est validé", whatsapp=True)
    page = dom(chromium, f"{sandbox.base_url}/phones")
    assert "Votre « Passeport » est validé" in page
    assert PHONE in page
    assert ">live<" in page


def test_a_conversation_follows_what_happens_and_no_script_of_it_runs(
    chromium: list[str],
    sandbox: SandboxClient,
    send: Callable[..., Any],
    tmp_path: Path,
) -> None:
    send(PHONE, HOSTILE, whatsapp=True)
    sandbox.behave(PHONE, "fail", code=30003, channel="sms")
    send(PHONE, "Par SMS")
    sandbox.reply(PHONE, "Merci, et à bientôt", channel="whatsapp")
    url = f"{sandbox.base_url}/phones/{PHONE}"
    page = dom(chromium, url)
    assert "&lt;b&gt;gras&lt;/b&gt;" in page
    assert "undelivered 30003" in page
    assert "Merci, et à bientôt" in page
    assert len(sandbox.phone_messages()) == 3
    picture = tmp_path / "phone.png"
    for width in (390, 1200):
        subprocess.run(
            [*chromium, f"--screenshot={picture}", f"--window-size={width},900", url],
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
