"""Checks of settings that every provider has."""

from __future__ import annotations

from urllib.parse import urlsplit


def secret(text: str, what: str) -> str:
    """Give a key back as it is.

    Args:
        text: The key.
        what: What it is, for the error.

    Raises:
        ValueError: It cannot be one. The error does not show it.
    """
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"the {what} is empty or has a space, line break or foreign letter; copy it again")
    return text


def base_url(text: str, whose: str) -> str:
    """Give a base address back without its last slash.

    Args:
        text: The address, ``https://host``.
        whose: Whose it is, for the error.

    Raises:
        ValueError: It is not of that form.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{whose} base URL {text!r} is not of the form https://host; correct it")
    return text.rstrip("/")


def webhook_secret(text: str) -> str:
    """Check the signing secret of a Stripe webhook.

    Raises:
        ValueError: It cannot be one; the message does not hold it.
    """
    if not secret(text, "Stripe webhook secret").removeprefix("whsec_") or not text.startswith("whsec_"):
        raise ValueError("a Stripe webhook secret does not begin with whsec_; copy the endpoint's again")
    return text
