"""The fleet on a bare machine: everything at once, the demo, the sandbox alone."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from workers.commands.output import Exit, console, fail
from workers.dev.embedded.folders import claim, sweep
from workers.dev.sandbox.server import serve
from workers.dev.sandbox.state import (
    USUAL_ACCOUNT_SID,
    USUAL_AUTH_TOKEN,
    USUAL_STRIPE_KEY,
    USUAL_STRIPE_SECRET,
    SandboxSettings,
)
from workers.dev.stack import Stack, StackError
from workers.settings import given_settings

if TYPE_CHECKING:
    from types import FrameType

FOLDER = Path(".fleet")
REVIVE_SECONDS = 1.0


def up() -> None:
    """Start everything in the foreground: servers, sandbox and every process; ctrl-C ends it all.

    What the environment or .env names is used instead of what comes with the fleet. Data stay in .fleet/.
    """
    sweep(FOLDER)
    _end_when_asked()
    folder = FOLDER / "up"
    with claim(folder):
        try:
            with Stack(folder, given_settings(), durable=True, usual_ports=True) as stack:
                console.print(addresses(stack))
                console.print(f"Logs are in {folder}/logs. Ctrl-C ends it all.")
                stay(stack)
        except StackError as error:
            raise fail(str(error), Exit.USAGE) from None
        except KeyboardInterrupt:
            console.print("stopped")


def demo() -> None:
    """Play a client's story, with a killed worker and a wiped broker, and check the accounts.

    On a stack of its own: no database of yours is touched and nobody is written to. In a terminal it stays up
    until ctrl-C; elsewhere it ends with its exit code.
    """
    from workers.dev import demo as the_demo  # noqa: PLC0415 - nobody else pays for it

    sweep(FOLDER)
    _end_when_asked()
    stay_up = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        flawless = the_demo.run(FOLDER, console, after=stay_with_pages if stay_up else None)
    except KeyboardInterrupt:
        raise fail("stopped before the end", Exit.NO) from None
    raise typer.Exit(Exit.OK if flawless else Exit.NO)


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


def addresses(stack: Stack) -> Table:
    """Where to look, with what to sign in."""
    table = Table(title="The fleet is up", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    env = stack.environment
    table.add_row("Mail that was sent", stack.addresses["sandbox"])
    table.add_row("Phones", f"{stack.addresses['sandbox']}/phones")
    table.add_row("Payments", f"{stack.addresses['sandbox']}/payments")
    user = env.get("FLEET_OPS_USER", "operator")
    table.add_row(
        "Operators' pages", f"{stack.addresses['ingress']}/ops  ({user} / {env['FLEET_OPS_PASSWORD']})"
    )
    if "flower" in stack.children:
        user = env.get("FLEET_FLOWER_USER", "operator")
        table.add_row("Flower", f"{stack.addresses['flower']}  ({user} / {env['FLEET_FLOWER_PASSWORD']})")
    table.add_row("Health", f"{stack.addresses['ingress']}/health")
    if stack.postgres is not None:
        table.add_row("DATABASE_URL", env["DATABASE_URL"])
        table.add_row("The same as its owner", stack.owner_url)
    if stack.redis is not None:
        table.add_row("REDIS_URL", stack.redis.url)
    return table


def stay(stack: Stack) -> None:
    """Keep the stack up until ctrl-C; a process that ends by itself is started again."""
    while True:
        time.sleep(REVIVE_SECONDS)
        for name in stack.revive():
            console.print(f"{name} had ended and was started again; see {stack.folder}/logs/{name}.log")


def stay_with_pages(stack: Stack) -> None:
    """Print the addresses and stay up until ctrl-C."""
    console.print(addresses(stack))
    console.print("Ctrl-C ends it all.")
    try:
        stay(stack)
    except KeyboardInterrupt:
        console.print("stopped")


def _end_when_asked() -> None:
    """End in good order on ctrl-C, also where a shell has started this in the background, and on SIGTERM."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, demo, sandbox):
        app.command(rich_help_panel="On this machine")(command)
