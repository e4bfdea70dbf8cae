"""``fleet tasks`` and ``fleet run``: every task there is, and any of them run by hand."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from db.queries.interventions import By
from providers.errors import ProviderError
from workers import logs
from workers.commands.asking import Who, login
from workers.commands.completing import one_of
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json
from workers.runnable import Wanted, known
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.catalogue import Described


def tasks(*, as_json: AsJson = False) -> None:
    """List every task there is: what it does, what it takes, and how to run it by hand."""
    found = known().values()
    if as_json:
        print_json([_plain(each) for each in found])
        return
    for each in found:
        console.print(Text.assemble((each.name, "bold"), f": {each.words}."), soft_wrap=True)
        for parameter in each.parameters:
            told = f"    {parameter.name}: {parameter.meaning}; {parameter.kind}"
            console.print(Text(told), soft_wrap=True)
        if each.parameters:
            console.print(Text(f"    {each.example}", style="dim"), soft_wrap=True)


def run(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="A task, as fleet tasks names it, or an entry of the timetable.",
            autocompletion=one_of(known()),
        ),
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="What the task takes; values alone in their order."),
    ] = None,
    *,
    enqueue: Annotated[
        bool, typer.Option("--enqueue", help="Hand it to the workers, instead of running it here and now.")
    ] = False,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run any task by hand, here and now, and tell what came of it. Who did is recorded.

    An entry of the timetable runs due or not, as any other run of it; not while a worker is at it.
    """
    wanted = _wanted(task, values or [])
    settings = Settings.load()
    logs.configure("ERROR")
    by = None if dry_run else By(who or login(), why)
    told = _told(wanted, settings, by, enqueue=enqueue)
    if as_json:
        print_json({"task": wanted.task.name, "given": wanted.values, "dry_run": dry_run, **told})
    else:
        console.print(_line(told), markup=False, highlight=False, soft_wrap=True)


def _told(wanted: Wanted, settings: Settings, by: By | None, *, enqueue: bool) -> Mapping[str, str | None]:
    from workers import by_hand  # noqa: PLC0415 - all that a worker imports, and the shell waits for names

    try:
        if by is None:
            return {"would": by_hand.preview(wanted, settings)}
        if enqueue:
            return {"task_id": by_hand.publish(wanted, settings, by)}
        return {"result": by_hand.run(wanted, settings, by)}
    except by_hand.NotRehearsedError as error:
        raise fail(str(error), Exit.USAGE) from None
    except by_hand.NotRunError as error:
        raise fail(str(error), Exit.NO) from None
    except ProviderError as error:
        raise fail(f"Stripe did not answer: {error.code}. Nothing was changed.", Exit.AWAY) from None


def _line(told: Mapping[str, str | None]) -> str:
    match told:
        case {"would": would}:
            return f"Nothing was done. It would now be: {would}"
        case {"task_id": None}:
            return "Handed to the workers; fleet schedule tells what comes of it."
        case {"task_id": task_id}:
            return f"Handed to the workers as {task_id}."
    return str(told["result"])


def _wanted(name: str, values: Sequence[str]) -> Wanted:
    tasks_ = known()
    if name not in tasks_:
        near = get_close_matches(name, tasks_, n=3, cutoff=0.4)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise fail(f"There is no task {name}. {meant}fleet tasks lists them all.", Exit.USAGE)
    try:
        return Wanted(tasks_[name], tasks_[name].read(values))
    except ValueError as error:
        raise fail(f"{error}.", Exit.USAGE) from None


def _plain(task: Described) -> Mapping[str, object]:
    parameters = [
        {"name": each.name, "meaning": each.meaning, "kind": each.kind, "example": each.example}
        for each in task.parameters
    ]
    return {
        "name": task.name,
        "what": task.words,
        "queue": task.queue,
        "parameters": parameters,
        "example": task.example,
    }


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="Look", epilog=examples("fleet tasks", "fleet tasks --json"))(tasks)
    runs = examples(
        "fleet run send-reminders --dry-run",
        "fleet run email.send_due",
        "fleet run payments.settle_order 0f8fad5b-d9cb-469f-a165-70867728950e --enqueue",
        "fleet run deliveries.send_one channel=EMAIL delivery_id=0f8fad5b-d9cb-469f-a165-70867728950e",
    )
    app.command(rich_help_panel="By hand", epilog=runs)(run)
