"""From what the platform's tables say about an event's subject to what the words need."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from services.notifications import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.queries.outbox import EventFacts

_IN_ADDRESSES = ":/?#[]@!$&()*+,;=%-._~"
_SOME_TITLE: Mapping[str, str] = {"fr": "Nouveau message", "en": "New message"}
_SOME_PRODUCT: Mapping[str, str] = {"fr": "accompagnement", "en": "business services"}
_SOME_STEP: Mapping[str, str] = {"fr": "Étape en cours", "en": "Current step"}
_SOME_DOCUMENT: Mapping[str, str] = {"fr": "Document", "en": "Document"}


def payload(facts: EventFacts) -> dict[str, object]:
    """What is kept of an event's subject in ``notifications.payload``, for the sending.

    The person's name is not kept: it is read again at the moment of sending.
    """
    known: Mapping[str, object] = {
        "reference": facts.dossier_reference,
        "product": facts.product,
        "document_code": facts.document_code,
        "document_label": facts.document_label,
        "reason": facts.review_reason,
        "step_code": facts.step_code,
        "step_label": facts.step_label,
        "next_step_code": facts.next_step_code,
        "next_step_label": facts.next_step_label,
        "status": facts.payload.get("new_status"),
        "amount": facts.amount,
        "currency": facts.currency,
    }
    return {key: value for key, value in known.items() if value is not None and str(value).strip()}


def variables(
    kept: Mapping[str, object], locale: str, *, name: str | None, action_url: str | None = None
) -> dict[str, object]:
    """All variables of the fleet's own templates, in a locale's words.

    Args:
        kept: What ``payload`` made.
        locale: One of ``words.LOCALES``.
        name: The person's name now.
        action_url: The absolute link to lead to.
    """

    def label(kind: str) -> str | None:
        code, fallback = kept.get(f"{kind}_code"), kept.get(f"{kind}_label")
        if not isinstance(fallback, str):
            return None
        translate = words.document_label if kind == "document" else words.step_label
        return translate(code, fallback, locale) if isinstance(code, str) else fallback

    return {
        "name": name,
        "action_url": action_url,
        "reference": kept.get("reference", "—"),
        "product": kept.get("product", _SOME_PRODUCT[locale]),
        "document": label("document") or _SOME_DOCUMENT[locale],
        "reason": kept.get("reason"),
        "step": label("step") or _SOME_STEP[locale],
        "next_step": label("next_step"),
        "status": kept.get("status"),
        "amount": kept.get("amount") if kept.get("currency") else None,
        "currency": kept.get("currency"),
        "expires_on": kept.get("expires_on"),
        "number": kept.get("number"),
        "last": kept.get("last", False),
    }


def own_words(title: str | None, message: str | None, locale: str) -> dict[str, object]:
    """The words of a notification that the application wrote; a blank one gives way to the other."""
    said = (title or "").strip(), (message or "").strip()
    return {"title": said[0] or _SOME_TITLE[locale], "message": said[1] or said[0] or _SOME_TITLE[locale]}


def action_path(facts: EventFacts) -> str:
    """Where in the platform the client is led: to the dossier if there is one."""
    return f"/dossiers/{facts.dossier_id}" if facts.dossier_id else "/dashboard"


def absolute(app_url: str, action_url: str | None) -> str | None:
    """The link for a mail: a path is one of the platform's site; only http and https addresses are links.

    What has no place in an address, such as a space or a quote, is percent-encoded.
    """
    if not action_url:
        return None
    link = quote(urljoin(f"{app_url.rstrip('/')}/", action_url.strip()), safe=_IN_ADDRESSES)
    return link if link.startswith(("https://", "http://")) else None
