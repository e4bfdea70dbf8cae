"""The timetable: how its entries stand."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import schedule as rows
from schedules.standing import standing
from schedules.timetable import timetable
from workers.clock import utc_now
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, console, examples, fail, print_json
from workers.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from schedules.standing import Standing
    from schedules.timetable import Entry

Check = Annotated[
    bool,
    typer.Option(
        "--check", help="Exit with 1 where an entry is overdue by more than three periods and half a minute."
    ),
]


def _timetable() -> Sequence[Entry]:
    return timetable(DatabaseSettings.load().reminder_time)


def schedule(*, check: Check = False, as_json: AsJson = False) -> None:
    """Show the timetable: what each entry does and when, its last run and what came of it, its next run."""
    now = utc_now()
    with database() as sessions, sessions() as session:
        found = rows.read(session)
    entries = [standing(entry, found.get(entry.name), now) for entry in _timetable()]
    if as_json:
        print_json([_plain(each) for each in entries])
    else:
        console.print(_table(entries))
    silent = [each.entry.name for each in entries if each.silent]
    if check and silent:
        raise fail(f"overdue for long: {', '.join(silent)}. Is beat running, and a worker?", Exit.NO)
    if check and not any(each.row for each in entries):
        raise fail("no tick has ever come. Is beat running, and a worker?", Exit.NO)


def _plain(at: Standing) -> Mapping[str, object]:
    row = at.row
    return {
        "name": at.entry.name,
        "words": at.entry.words,
        "when": at.entry.when.words,
        "queue": at.entry.queue,
        "running": at.running,
        "started_at": row and row.started_at,
        "finished_at": row and row.finished_at,
        "took_seconds": row.took.total_seconds() if row and row.took is not None else None,
        "result": row and row.result,
        "error": row and row.error,
        "broken_off": at.broken_off,
        "runs": row.runs if row else 0,
        "next_at": at.next_at,
        "late_seconds": at.late.total_seconds(),
        "overdue": at.overdue,
    }


def _table(entries: Sequence[Standing]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("entry", "what", "when", "last run (UTC)", "took", "result", "next (UTC)"):
        table.add_column(heading, overflow="fold")
    for at in entries:
        row, style = at.row, "red" if at.overdue or (at.row and at.row.error) else None
        table.add_row(
            at.entry.name,
            at.entry.words,
            at.entry.when.words,
            _time(row.started_at) if row else "-",
            _took(row.took) if row else "-",
            _result(at),
            _next(at),
            style=style,
        )
    return table


def _result(at: Standing) -> str:
    if at.row is None or at.row.started_at is None:
        return "-"
    if at.running:
        return "running"
    if at.row.error is not None:
        return f"failed: {at.row.error}"
    return "broken off" if at.broken_off else at.row.result or "-"


def _next(at: Standing) -> str:
    if at.next_at is None:
        return "at beat's next tick"
    return f"overdue by {_took(at.late)}" if at.overdue else _time(at.next_at)


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else "-"


def _took(span: timedelta | None) -> str:
    if span is None:
        return "-"
    seconds = span.total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - a minute's


def register(app: typer.Typer) -> None:
    """Add the command."""
    told = examples("fleet schedule", "fleet schedule --check")
    app.command(rich_help_panel="Look", epilog=told)(schedule)
