"""The process that stands in for the providers."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.commands.output import examples
from workers.dev.sandbox.server import serve
from workers.dev.sandbox.state import (
    USUAL_ACCOUNT_SID,
    USUAL_AUTH_TOKEN,
    USUAL_STRIPE_KEY,
    USUAL_STRIPE_SECRET,
    SandboxSettings,
)


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8025,
    *,
    api_key: Annotated[str, typer.Option(help="The only key that SendGrid's API accepts.")] = "SG.sandbox",
    twilio_account_sid: Annotated[
        str, typer.Option(help="The only account that Twilio's API knows.")
    ] = USUAL_ACCOUNT_SID,
    twilio_auth_token: Annotated[
        str, typer.Option(help="What opens it, and signs its callbacks.")
    ] = USUAL_AUTH_TOKEN,
    stripe_key: Annotated[
        str, typer.Option(help="The only key that Stripe's API accepts.")
    ] = USUAL_STRIPE_KEY,
    stripe_webhook_secret: Annotated[str, typer.Option(help="Signs Stripe's events.")] = USUAL_STRIPE_SECRET,
    latency: Annotated[float, typer.Option(help="Seconds before an answer.")] = 0.0,
    public_url: Annotated[
        str,
        typer.Option(help="Where the ingress is; events and phones' answers are posted there."),
    ] = "",
    whatsapp_window: Annotated[
        bool,
        typer.Option(
            "--whatsapp-window",
            help="WhatsApp takes free text only within 24 hours of an answer.",
        ),
    ] = False,
) -> None:
    """Run the sandbox: speaks SendGrid's, Twilio's and Stripe's APIs, and shows on pages what it was sent."""
    base = public_url.rstrip("/")
    settings = SandboxSettings(
        api_key=api_key,
        latency=latency,
        webhook_url=f"{base}/webhooks/sendgrid" if base else "",
        inbound_url=f"{base}/webhooks/twilio/inbound" if base else "",
        account_sid=twilio_account_sid,
        auth_token=twilio_auth_token,
        stripe_key=stripe_key,
        stripe_webhook_secret=stripe_webhook_secret,
        stripe_webhook_url=f"{base}/webhooks/stripe" if base else "",
        whatsapp_window=whatsapp_window,
    )
    serve(host, port, settings)


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples("fleet sandbox --port 8025 --public-url http://127.0.0.1:8080")
    app.command(rich_help_panel="On this machine", epilog=shown)(sandbox)
