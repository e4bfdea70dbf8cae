"""What every command shares: how it speaks, and how it ends."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

# A pipe has no width of its own: tables are not cut to that of an imagined terminal.
console = Console(width=None if sys.stdout.isatty() else 160)
errors = Console(stderr=True, soft_wrap=True)


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    NO = 1
    """The answer is no: not found, not sent, not as it should be."""
    USAGE = 2
    """The call or the settings are wrong."""
    AWAY = 3
    """The database or the broker does not answer."""


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]


def examples(*commands: str) -> str:
    """Give the end of a command's ``--help``."""
    return "\n".join(("Examples:", *commands))


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def fail(message: str, code: Exit) -> typer.Exit:
    """Say on standard error what is wrong; raise what this returns."""
    errors.print(message, style="bold red", markup=False, highlight=False)
    return typer.Exit(code)


def uuid_argument(value: str) -> UUID:
    """Read an id from the command line.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return UUID(value)
    except ValueError:
        raise typer.BadParameter(
            f"{value!r} is not an id such as 0f8fad5b-d9cb-469f-a165-70867728950e"
        ) from None


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
