"""The gallery in a real, headless Chromium: pictures for people, and what a machine can see for itself.

The pictures are left in ``.fleet/gallery/``.
"""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.notifications import samples, words
from services.notifications.render import Renderer
from services.notifications.template_codes import Template
from tests.notifications.reading import HOSTILE
from tests.sandbox.browser_mail import chromium
from workers.dev.sandbox.gallery import in_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.dev.sandbox.client import SandboxClient

__all__ = ["chromium"]  # a fixture

PICTURES = Path(__file__).parents[2] / ".fleet" / "gallery"
LEAST_CONTRAST = 4.5
"""WCAG 2, level AA, for text of any size."""

AUDIT = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(at.ownerDocument.defaultView.getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}
function audit(frame) {
  const page = frame.contentDocument, found = [];
  const { scrollWidth, clientWidth } = page.documentElement;
  if (scrollWidth > clientWidth) found.push(`${scrollWidth} px wide in ${clientWidth}`);
  let seen = 0;
  for (const element of page.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = page.defaultView.getComputedStyle(element);
    const [a, b] = [light(numbers(style.color)), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < LEAST) found.push(`${contrast.toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
    seen += 1;
  }
  return { title: frame.title, seen, found };
}
window.addEventListener("load", () => {
  const audits = [...document.querySelectorAll("iframe")].map(audit);
  document.querySelector("pre").textContent = JSON.stringify(audits);
});
"""


def frames(width: int) -> Iterator[str]:
    """Every e-mail in both schemes, the usual ones and those that hostile names are in."""
    renderer = Renderer(samples.COMPANY)
    for template in Template:
        for locale in words.LOCALES:
            said = samples.variants(template, locale)
            usual = said[next(iter(said))]
            lines = usual.keys() & {"name", "product", "title"}
            said["long"] = usual | dict.fromkeys(lines, HOSTILE["long"])
            for variant, values in said.items():
                html = renderer.email(
                    template, locale, values, unsubscribe_url=samples.unsubscribe_url(template)
                ).html
                for scheme in ("light", "dark"):
                    title = f"{template} {locale} {variant} {scheme}"
                    page = escape(in_scheme(html, scheme))
                    yield f'<iframe title="{title}" width="{width}" height="900" srcdoc="{page}"></iframe>'


@pytest.mark.parametrize("width", [320, 390, 760])
def test_everything_is_legible_and_nothing_is_wider_than_the_screen(
    chromium: list[str], tmp_path: Path, width: int
) -> None:
    page = tmp_path / "audit.html"
    script = AUDIT.replace("LEAST", str(LEAST_CONTRAST))
    page.write_text(
        f"<!doctype html><meta charset=utf-8><script>{script}</script><pre></pre>{''.join(frames(width))}",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*chromium, "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = re.search("<pre>(.+?)</pre>", done.stdout)
    assert told, done.stderr[-2000:]
    audits: list[dict[str, Any]] = json.loads(unescape(told[1]))
    assert len(audits) == 2 * 2 * (2 * len(Template) + 2)
    assert min(audit["seen"] for audit in audits) > 6
    assert [audit for audit in audits if audit["found"]] == []
    assert "CONSOLE" not in done.stderr


def test_the_gallery_has_its_picture_taken(
    chromium: list[str], sandbox: SandboxClient, tmp_path: Path
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(wanted: tuple[str, str, int]) -> str:
        template, locale, width = wanted
        picture = PICTURES / f"{template}.{locale}{'' if width > 1000 else f'.{width}'}.png"
        picture.unlink(missing_ok=True)
        done = subprocess.run(
            [
                *(word for word in chromium if not word.startswith("--user-data-dir")),
                f"--user-data-dir={tmp_path / picture.stem}",
                *("--enable-logging=stderr", f"--screenshot={picture}", f"--window-size={width},1300"),
                f"{sandbox.base_url}/gallery/{template}?locale={locale}",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert picture.read_bytes().startswith(b"\x89PNG")
        return "".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)

    wanted: list[tuple[str, str, int]] = [(template, "fr", 2560) for template in Template]
    wanted += [("REMINDER", "en", 2560), ("WELCOME", "fr", 390), ("WELCOME", "en", 390)]
    with ThreadPoolExecutor(2) as photographers:
        complaints = set(photographers.map(take, wanted))
    assert complaints == {""}
