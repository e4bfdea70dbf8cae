"""The words of a message, seen without sending it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.notifications import phone_words, samples, sms
from services.notifications.render import Renderer, RenderError
from services.notifications.template_codes import Template
from workers.bootstrap import make_company
from workers.commands.completing import one_of
from workers.commands.output import AsJson, Exit, console, errors, examples, fail, print_json
from workers.settings import Settings, SettingsError

if TYPE_CHECKING:
    from services.notifications.render import Company


class Shown(StrEnum):
    """What a message is worded for."""

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"


class Locale(StrEnum):
    """In which language."""

    FR = "fr"
    EN = "en"


def render(
    template: Annotated[
        str,
        typer.Argument(
            metavar="TEMPLATE", help="A template's code, such as REMINDER.", autocompletion=one_of(Template)
        ),
    ],
    *,
    locale: Annotated[Locale, typer.Option(help="In which language.")] = Locale.FR,
    channel: Annotated[Shown, typer.Option(help="For which channel.")] = Shown.EMAIL,
    variables: Annotated[
        str | None,
        typer.Option(metavar="OBJECT", help="The variables as a JSON object, instead of made-up ones."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file: an e-mail as HTML, the others as text.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the words of a message, with made-up variables or with yours. Nothing is sent."""
    try:
        values = _given(variables) if variables is not None else samples.variables(template, locale)
        subject, text, html = _words(Renderer(_company()), template, locale, channel, values)
    except RenderError as error:
        raise fail(str(error), Exit.USAGE) from None
    if out is not None:
        out.write_text(html or f"{text}\n", encoding="utf-8")
        return
    if as_json:
        print_json({"subject": subject, "text": text, "html": html})
        return
    if subject:
        console.print(subject, style="bold", markup=False, highlight=False, soft_wrap=True)
        console.print()
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _words(
    renderer: Renderer, template: str, locale: str, channel: Shown, values: dict[str, Any]
) -> tuple[str, str, str]:
    """Subject, text and HTML; blank where the channel has none."""
    if channel is Shown.EMAIL:
        mail = renderer.email(template, locale, values, unsubscribe_url=samples.unsubscribe_url(template))
        return mail.subject, mail.text.rstrip("\n"), mail.html
    words = renderer.phone(template, locale, values)
    link = samples.SHORT_LINK if values.get("action_url") else None
    text = sms.fit(words.sms, link) if channel is Shown.SMS else phone_words.body(words.whatsapp, link)
    return "", text, ""


def _given(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise fail(f"--variables is no JSON: {error}", Exit.USAGE) from None
    if not isinstance(values, dict):
        raise fail('--variables must be an object: {"name": "Camille Exemple", …}', Exit.USAGE)
    return values


def _company() -> Company:
    try:
        return make_company(Settings.load())
    except SettingsError:
        errors.print("No settings: the company's particulars are made up.", style="yellow")
        return samples.COMPANY


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples(
        "fleet render REMINDER --locale en --channel sms", "fleet render WELCOME --out welcome.html"
    )
    app.command(rich_help_panel="Look", epilog=shown)(render)
