"""What every command that changes something by hand shares: a plan first, then who, why and yes."""

from __future__ import annotations

import getpass
import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

from db.queries.interventions import By
from workers.clock import utc_now
from workers.commands.output import Exit, console, fail

Why = Annotated[str | None, typer.Option(help="Why, for the record. Needed with --yes.")]
Who = Annotated[str | None, typer.Option(help="Who does it, for the record; your login if not given.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only said what would be done.")]
Since = Annotated[
    str | None,
    typer.Option(help="Not older than this: 30m, 6h, 2d, or a time such as 2026-11-21T08:00+01:00."),
]

_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(given: str | None) -> datetime | None:
    """Read a ``--since``.

    Raises:
        typer.BadParameter: It is neither a span nor a time with its zone.
    """
    if given is None:
        return None
    if _AGO.fullmatch(given):
        return utc_now() - span(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise typer.BadParameter(
            f"{given!r} is neither a span such as 6h nor a time such as 2026-11-21T08:00Z"
        )
    return at


def span(given: str) -> timedelta:
    """Read a span of time, such as ``30m``.

    Raises:
        typer.BadParameter: It is none.
    """
    found = _AGO.fullmatch(given)
    if not found:
        raise typer.BadParameter(f"{given!r} is not a span of time such as 30m, 6h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def somebody(*, who: str | None, why: str | None) -> By:
    """Who does it and why.

    Raises:
        typer.Exit: Nobody says why.
    """
    if not (why or "").strip():
        raise fail("Say why with --why: it is kept for those who wonder later.", Exit.USAGE)
    return By(who or login(), why or "")


def login() -> str:
    """Who is at the terminal."""
    return getpass.getuser()


def agreed(*, yes: bool, dry_run: bool, who: str | None, why: str | None) -> By | None:
    """Who does it and why; None where it was only to be said what would be done: a dry run wins over a yes.

    Raises:
        typer.Exit: It is to be done, and nobody says why.
    """
    if yes and not dry_run:
        return somebody(who=who, why=why)
    console.print("Nothing was done. Add --yes and --why to do it.")
    return None
