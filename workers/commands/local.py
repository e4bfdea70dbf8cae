"""The fleet on a bare machine: everything at once, and the demo."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from workers.commands.output import Exit, console, examples, fail
from workers.dev.embedded.folders import claim, sweep
from workers.dev.stack import Stack, StackError
from workers.settings import Settings, given_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

FOLDER = Path(".fleet")
REVIVE_SECONDS = 1.0
OWNER = "OWNER_DATABASE_URL"
"""Who owns the tables, in ``environment``: who plays the platform is that one."""


def up() -> None:
    """Start everything in the foreground: servers, sandbox and every process; ctrl-C ends it all.

    What the environment or .env names is used instead of what comes with the fleet. Data stay in .fleet/; a
    database of the fleet's own has the platform's products from the start.
    """
    sweep(FOLDER)
    _end_when_asked()
    folder = FOLDER / "up"
    with claim(folder):
        try:
            stack = Stack(folder, given_settings(), durable=True, usual_ports=True, seeded=True)
            with stack, environment_file(stack) as file:
                console.print(addresses(stack))
                console.print(f"For fleet and psql in another terminal: source {file}")
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
        sign_in = "its own sign-in" if env.get("FLEET_FLOWER_PASSWORD") else "the same sign-in"
        table.add_row("Flower", f"{stack.addresses['flower']}  ({sign_in})")
    table.add_row("Health", f"{stack.addresses['ingress']}/health")
    if stack.postgres is not None:
        table.add_row("DATABASE_URL", env["DATABASE_URL"])
        table.add_row("The same as its owner", stack.owner_url)
    if stack.redis is not None:
        table.add_row("REDIS_URL", stack.redis.url)
    return table


@contextmanager
def environment_file(stack: Stack) -> Iterator[Path]:
    """Yield a file for a shell to source, gone with the stack: its settings, and the owner's database."""
    names = Settings.variables()
    given = {name: value for name, value in stack.environment.items() if name in names}
    given[OWNER] = stack.owner_url
    file = stack.folder / "environment"
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(given.items())))
    try:
        yield file
    finally:
        file.unlink()


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
    app.command(rich_help_panel="On this machine", epilog=examples("fleet up"))(up)
    app.command(rich_help_panel="On this machine", epilog=examples("fleet demo"))(demo)
