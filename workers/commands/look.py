"""What an operator looks at: the state of the queues, and the story behind an id."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from kombu.exceptions import OperationalError as BrokerError
from rich.table import Table

from db.queries import channels, codes, queues, story
from db.queries.channels import PROBED
from workers import telling
from workers.celery_app import make_app
from workers.clock import utc_now
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, console, examples, fail, print_json, uuid_argument
from workers.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from db.queries.channels import Pause
    from db.queries.codes import UnseenCode
    from db.queries.queues import QueueState

PING_SECONDS = 1.0


MaxAge = Annotated[
    float | None,
    typer.Option(
        help="Exit with 1 where no worker is seen, or anything sendable has been due for longer (seconds)."
    ),
]


def status(*, max_age: MaxAge = None, as_json: AsJson = False) -> None:
    """Show what is due per queue, how old the oldest is, which channels are paused, and the workers seen."""
    settings = Settings.load()
    now = utc_now()
    with database() as sessions, sessions() as session:
        states = queues.states(session, now)
        pauses = [p for p in channels.pauses(session) if p.kind in PROBED or p.paused_until > now]
        unseen = codes.unseen(session)
    workers = _workers(settings)
    if as_json:
        print_json({"queues": states, "paused": pauses, "unseen_codes": unseen, "workers": workers})
    else:
        _show(states, pauses, workers, now)
        for code in unseen:
            console.print(_unseen_line(code), style="yellow", markup=False)
    late = [s.queue for s in states if (s.oldest_due_seconds or 0) > (max_age or 0)]
    if max_age is not None and (late or not workers):
        raise fail(
            f"due for more than {max_age:g} s: {', '.join(late)}" if late else "no worker seen", Exit.NO
        )


def _show(states: list[QueueState], pauses: list[Pause], workers: list[str] | None, now: datetime) -> None:
    console.print(_queue_table(states))
    for pause in pauses:
        console.print(_pause_line(pause, now), style="yellow", markup=False)
    if workers is None:
        console.print("The broker does not answer: no worker can be seen.", style="bold red")
    else:
        console.print(f"Workers: {', '.join(workers) if workers else 'none seen'}", markup=False)


def _workers(settings: Settings) -> list[str] | None:
    """The workers that answer within a second; None where the broker does not."""
    try:
        answers: list[dict[str, Any]] = make_app(settings).control.ping(timeout=PING_SECONDS)
    except (BrokerError, OSError):
        return None
    return sorted(name for answer in answers for name in answer)


def _queue_table(states: list[QueueState]) -> Table:
    table = Table(title="Queues", title_justify="left")
    for heading in ("queue", "due", "oldest due", "in hand", "waiting", "unknown outcome", "parked"):
        table.add_column(heading, justify="left" if heading == "queue" else "right")
    for s in states:
        table.add_row(
            s.queue,
            str(s.due),
            "-" if s.oldest_due_seconds is None else f"{s.oldest_due_seconds:.1f} s",
            str(s.leased),
            str(s.waiting),
            str(s.unknown),
            str(s.parked),
        )
    return table


def _unseen_line(code: UnseenCode) -> str:
    seen = f"seen {code.seen} times, last at {code.last_seen:%Y-%m-%d %H:%M:%S} UTC"
    return f"{code.provider} {code.code} is in no table of codes, taken as {code.taken_as}: {seen}"


def _pause_line(pause: Pause, now: datetime) -> str:
    seconds = max(0.0, (pause.paused_until - now).total_seconds())
    return f"{pause.channel} is paused for {seconds:.0f} s more: {pause.code} {pause.detail}"


def explain(
    some_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of an event, a notice, a notification, a delivery, a letter or an attempt."
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of an event, notice, notification, delivery or letter: tries, codes, providers."""
    wanted = uuid_argument(some_id)
    with database() as sessions, sessions() as session:
        found = story.find(session, wanted)
        moments = telling.tell(found, utc_now()) if found else []
    if found is None:
        kinds = "event, notice, notification, delivery, letter or attempt"
        raise fail(f"No {kinds} has the id {wanted}.", Exit.NO)
    if as_json:
        print_json([asdict(moment) for moment in moments])
        return
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("when (UTC)", "what", "which", "told"):
        table.add_column(heading, overflow="fold")
    for moment in moments:
        when = f"{moment.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] if moment.at else "now"
        table.add_row(when, moment.what, str(moment.which), moment.told)
    console.print(table)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    seen = examples("fleet status", "fleet status --max-age 60")
    app.command(rich_help_panel="Look", epilog=seen)(status)
    told = examples(
        "fleet explain 0f8fad5b-d9cb-469f-a165-70867728950e",
        "fleet explain 0f8fad5b-d9cb-469f-a165-70867728950e --json",
    )
    app.command(rich_help_panel="Look", epilog=told)(explain)
