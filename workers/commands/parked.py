"""Dead letters, and channels paused by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import dead_letters
from db.queries.dead_letters import Meant
from tasks.wakeups import CHANNELS, QUEUE_OF_CHANNEL
from workers import steering
from workers.clock import utc_now
from workers.commands.asking import Since, Who, Why, Yes, agreed, moment, somebody, span
from workers.commands.completing import one_of
from workers.commands.costs import told
from workers.commands.opened import database, rehearsed
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.queries.dead_letters import DeadLetter

QUEUES = ("fanout", "notices", "advances", "reminders", "inbox", "payments", *QUEUE_OF_CHANNEL.values())

Queue = Annotated[
    str | None,
    typer.Option(help=f"Only of this queue: {', '.join(QUEUES)}.", autocompletion=one_of(QUEUES)),
]
Channel = Annotated[
    str, typer.Argument(help=f"One of {', '.join(CHANNELS)}.", autocompletion=one_of(CHANNELS))
]
Reason = Annotated[str, typer.Option("--why", help="Why, for the record.")]
Error = Annotated[str | None, typer.Option(help="Only those parked with this error, as the list shows it.")]


def dead_letters_(
    *, queue: Queue = None, error: Error = None, since: Since = None, as_json: AsJson = False
) -> None:
    """List what was parked, in every queue: what keeps failing, or waits for a person's word."""
    meant = Meant(_queue(queue), None, error, moment(since))
    with database() as sessions, sessions() as session:
        found = dead_letters.find(session, meant)
    if as_json:
        print_json(found)
    else:
        console.print(_table(found))


def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="As the list shows them.")
    ] = None,
    *,
    queue: Queue = None,
    error: Error = None,
    since: Since = None,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make dead letters due again. Says first which. A send of unknown outcome is then sent once more."""
    if not (ids or queue or error or since):
        raise fail("Name them by their ids, or by --queue, --error or --since.", Exit.USAGE)
    meant = Meant(_queue(queue), ids, error, moment(since))
    with database() as sessions:
        with sessions() as session:
            plan = steering.plan_replay(session, meant, utc_now())
        if as_json and (dry_run or not yes):
            print_json({"dry_run": True, "replay": plan.letters, "cost": plan.cost})
            return
        if not as_json:
            console.print(_table(plan.letters))
        if not plan.letters:
            raise fail("No dead letter is meant by that.", Exit.NO)
        if not as_json:
            console.print(f"{len(plan.letters)} in all; cost: {told(plan.cost)}", markup=False)
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            steering.replay(session, plan.letters, by, utc_now())
    if as_json:
        print_json({"dry_run": False, "replayed": plan.letters})
    else:
        console.print(f"{len(plan.letters)} are due again.")


def pause(
    channel: Channel,
    *,
    for_: Annotated[
        str | None, typer.Option("--for", help="30m, 6h, 2d; until resumed if not given.")
    ] = None,
    why: Reason,
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Stop sending on a channel. What is under way ends; the rest stays due, and burns no try."""
    name, length = _channel(channel), span(for_) if for_ else None
    by = somebody(who=who, why=why)
    with database() as sessions, rehearsed(sessions, dry_run=dry_run) as session:
        until = steering.pause(session, name, length, by, utc_now())
    if as_json:
        print_json({"dry_run": dry_run, "channel": name, "until": until if for_ else None})
        return
    end = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if for_ else "until resumed"
    console.print(
        f"Nothing was done. {name} would be paused {end}." if dry_run else f"{name} is paused {end}."
    )


def resume(
    channel: Channel,
    *,
    why: Reason,
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a channel's pause, whoever or whatever paused it."""
    name = _channel(channel)
    by = somebody(who=who, why=why)
    with database() as sessions, rehearsed(sessions, dry_run=dry_run) as session:
        paused = steering.resume(session, name, by)
    if paused is None:
        raise fail(f"{name} is not paused.", Exit.NO)
    if as_json:
        print_json({"dry_run": dry_run, "resumed": paused})
        return
    goes_on = f"Nothing was done. {name} would go on; it is" if dry_run else f"{name} goes on; it was"
    console.print(f"{goes_on} paused as {paused.kind}: {paused.code}.", markup=False)


def _table(found: Sequence[DeadLetter]) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("since (UTC)", "queue", "id", "tries", "error"):
        table.add_column(heading, overflow="fold")
    for d in found:
        table.add_row(f"{d.parked_at:%Y-%m-%d %H:%M:%S}", d.queue, d.id, str(d.tries), d.error or "-")
    return table


def _queue(given: str | None) -> str | None:
    if given is not None and given.lower() not in QUEUES:
        raise typer.BadParameter(f"no such queue: {given}; there are {', '.join(QUEUES)}")
    return given.lower() if given else None


def _channel(given: str) -> str:
    if given.upper() not in CHANNELS:
        raise typer.BadParameter(f"no such channel: {given}; there are {', '.join(CHANNELS)}")
    return given.upper()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    listed = examples("fleet dead-letters", "fleet dead-letters --queue email --since 6h")
    app.command("dead-letters", rich_help_panel="Look", epilog=listed)(dead_letters_)
    for command, shown in (
        (
            replay,
            (
                "fleet replay 0f8fad5b-d9cb-469f-a165-70867728950e",
                'fleet replay --queue email --error RenderError --why "the template is mended" --yes',
            ),
        ),
        (pause, ('fleet pause SMS --for 2h --why "the prices are wrong"',)),
        (resume, ('fleet resume SMS --why "the prices are right"',)),
    ):
        app.command(rich_help_panel="By hand", epilog=examples(*shown))(command)
