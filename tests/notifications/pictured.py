"""How docs/templates.md shows each message: the French e-mail as a picture, the rest as text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from db.models.enums import NotificationChannel
from services.notifications import phone_words, samples, sms
from services.notifications.catalogue import ROUTES
from services.notifications.render import Renderer
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from services.notifications.render import RenderedEmail

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "templates.md"
PICTURES = DOCS / "pictures"
TAKEN = PICTURES / "taken.json"
"""A digest of each e-mail that has its picture taken: changed words want another."""

HEADING = "## Each message as it reads\n"
LOCALE = "fr"
_RENDERER = Renderer(samples.COMPANY)


def email(template: Template) -> RenderedEmail:
    """The message as an e-mail, with made-up variables."""
    values = samples.variables(template, LOCALE)
    return _RENDERER.email(template, LOCALE, values, unsubscribe_url=samples.unsubscribe_url(template))


def digests() -> dict[str, str]:
    """What the pictures are to show, in short."""
    return {template: hashlib.sha256(email(template).html.encode()).hexdigest()[:16] for template in Template}


def taken() -> dict[str, str]:
    """What the pictures show, in short."""
    known: dict[str, str] = json.loads(TAKEN.read_text(encoding="utf-8")) if TAKEN.exists() else {}
    return known


def section() -> str:
    """All messages, as the end of the page shows them."""
    return "".join(_shown(template) for template in Template)


def _shown(template: Template) -> str:
    values = samples.variables(template, LOCALE)
    notice, phone = _RENDERER.notice(template, LOCALE, values), _RENDERER.phone(template, LOCALE, values)
    rows = {"subject": email(template).subject, "in the app": f"{notice.title}\n{notice.message}"}
    if NotificationChannel.SMS in ROUTES[template].channels:
        rows |= {"SMS": sms.fit(phone.sms, samples.SHORT_LINK)}
        rows |= {"WhatsApp": phone_words.body(phone.whatsapp, samples.SHORT_LINK)}
    told = "".join(f"| {name} | {_cell(said)} |\n" for name, said in rows.items())
    return f"\n### {template}\n\n| | |\n|---|---|\n{told}\n![{template}](pictures/{template}.webp)\n"


def _cell(said: str) -> str:
    return "<br>".join(line for line in said.replace("|", "\\|").splitlines() if line)
