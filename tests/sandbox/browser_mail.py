"""The mail page in a real, headless Chromium: what a person sees once its script has run."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sendgrid import SendGridAPIClient

    from workers.dev.sandbox.client import SandboxClient

HOSTILE = "<h1>Bonjour</h1><script>fetch('/sandbox/api/messages', {method: 'DELETE'})</script>"


def send(sendgrid: SendGridAPIClient, subject: str, html: str = "<p>Bonjour</p>") -> str:
    answer = sendgrid.client.mail.send.post(
        request_body={
            "personalizations": [{"to": [{"email": "camille@example.com"}]}],
            "from": {"email": "bonjour@example.com"},
            "subject": subject,
            "content": [{"type": "text/plain", "value": "Bonjour"}, {"type": "text/html", "value": html}],
        }
    )
    return str(answer.headers["X-Message-Id"])


@pytest.fixture
def chromium(tmp_path: Path) -> list[str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "these tests need Chromium: apt-get install chromium"
    return [
        program,
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=3000",
    ]


def dom(chromium: list[str], url: str) -> str:
    done = subprocess.run(
        [*chromium, "--dump-dom", url], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_the_list_shows_what_was_sent_and_is_live(
    chromium: list[str], sandbox: SandboxClient, sendgrid: SendGridAPIClient
) -> None:
    send(sendgrid, "Votre document « Passeport » est validé")
    page = dom(chromium, sandbox.base_url)
    assert "Votre document « Passeport » est validé" in page
    assert "camille@example.com" in page
    assert ">live<" in page


def test_a_mail_is_shown_and_its_script_does_not_run(
    chromium: list[str], sandbox: SandboxClient, sendgrid: SendGridAPIClient, tmp_path: Path
) -> None:
    message_id = send(sendgrid, "<i>Objet</i>", HOSTILE)
    url = f"{sandbox.base_url}/messages/{message_id}"
    page = dom(chromium, url)
    assert "&lt;i&gt;Objet&lt;/i&gt;" in page
    assert 'sandbox=""' in page
    assert [m.id for m in sandbox.messages()] == [message_id]
    picture = tmp_path / "mail.png"
    for width in (390, 1200):
        subprocess.run(
            [*chromium, f"--screenshot={picture}", f"--window-size={width},900", url],
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
