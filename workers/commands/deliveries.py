"""Deliveries as an operator finds them, and the failed ones sent once more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import failures
from db.queries.failures import Wanted
from tasks.wakeups import CHANNELS
from workers import steering
from workers.clock import utc_now
from workers.commands.asking import Since, Who, Why, Yes, agreed, moment
from workers.commands.completing import one_of
from workers.commands.costs import told
from workers.commands.opened import database
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument
from workers.settings.messages import People

if TYPE_CHECKING:
    from workers.steering import Retrying

Channel = Annotated[
    str | None,
    typer.Option(help=f"On this channel: {', '.join(CHANNELS)}.", autocompletion=one_of(CHANNELS)),
]
STATUSES = ("PENDING", "SENT", "FAILED", "BOUNCED")

Code = Annotated[str | None, typer.Option(help="That ended with this code, such as http_400 or 30006.")]
Template = Annotated[str | None, typer.Option(help="In the words of this template, such as WELCOME.")]


def deliveries(
    *,
    status: Annotated[
        str | None,
        typer.Option(help=f"In this state: {', '.join(STATUSES)}.", autocompletion=one_of(STATUSES)),
    ] = None,
    channel: Channel = None,
    code: Code = None,
    template: Template = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=steering.MOST, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first, without names and addresses.

    fleet explain tells the whole story of one.
    """
    wanted = Wanted(None, _upper(channel), _upper(status), code, _upper(template), moment(since))
    with database() as sessions, sessions() as session:
        found = failures.find(session, wanted, limit)
    if as_json:
        print_json(found)
        return
    table = Table(show_edge=False, box=None, pad_edge=False)
    for heading in ("made (UTC)", "delivery", "channel", "status", "template", "tries", "receipt", "code"):
        table.add_column(heading, overflow="fold")
    for d in found:
        tried, receipt = str(d.attempts), d.receipt or "-"
        made = f"{d.created_at:%Y-%m-%d %H:%M:%S}"
        row = (
            made,
            str(d.delivery_id),
            d.channel,
            d.status,
            d.template_code or "-",
            tried,
            receipt,
            d.code or "-",
        )
        table.add_row(*row)
    console.print(table)
    if len(found) == limit:
        console.print(f"The newest {limit}; --limit shows more.")


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Deliveries' ids.")] = None,
    *,
    channel: Channel = None,
    code: Code = None,
    template: Template = None,
    since: Since = None,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send failed and bounced deliveries once more. Says first how many, and what they would cost.

    They go to the address that the person's account has now; those that the application has addressed keep
    theirs. Left out are those that another delivery has made needless, and suppressed addresses.
    """
    chosen = [uuid_argument(some_id) for some_id in ids] if ids else None
    if chosen is None and code is None and since is None:
        raise fail("Name deliveries by their ids, or by --code or --since: never all there are.", Exit.USAGE)
    wanted = Wanted(chosen, _upper(channel), None, code, _upper(template), moment(since))
    region = People.load().phone_region
    with database() as sessions:
        with sessions() as session:
            plan = steering.plan_retry(session, wanted, region, utc_now())
        if as_json and (dry_run or not yes):
            moved = [{"delivery_id": each, "address": address} for each, address in plan.moved.items()]
            planned = {"retry": plan.able, "moved": moved, "left": plan.left, "cost": plan.cost}
            print_json({"dry_run": True, **planned})
            return
        if not as_json:
            _say(plan)
        if not plan.able:
            raise fail("None of them can be sent once more.", Exit.NO)
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            details = {"code": code, "channel": channel, "since": since}
            done = steering.retry(session, [d.delivery_id for d in plan.able], region, by, details)
    if as_json:
        print_json({"dry_run": False, "retried": done.again, "anew": done.anew})
    else:
        console.print(f"{done.count} are due again.")


def give_up(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Deliveries' ids.")],
    *,
    why: Why = None,
    who: Who = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End deliveries that wait to be sent as FAILED; they can be retried. Says first which.

    What a worker has in hand is left alone: its message may have gone already.
    """
    chosen = [uuid_argument(some_id) for some_id in ids]
    with database() as sessions:
        with sessions() as session:
            plan = steering.plan_give_up(session, chosen)
        if as_json and (dry_run or not yes):
            print_json({"dry_run": True, "give_up": plan.waiting, "left": plan.left})
            return
        if not as_json:
            for each in plan.waiting:
                console.print(f"{each.delivery_id} on {each.channel} would end as FAILED", highlight=False)
            for each in plan.left:
                console.print(f"{each.delivery_id} left out: is {each.status}", style="yellow")
        if not plan.waiting:
            raise fail("None of them waits to be sent.", Exit.NO)
        by = agreed(yes=yes, dry_run=dry_run, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            ended = steering.give_up(session, [each.delivery_id for each in plan.waiting], by, utc_now())
    if as_json:
        print_json({"dry_run": False, "given_up": ended})
    else:
        console.print(f"{len(ended)} given up.")
    if len(ended) < len(plan.waiting):
        raise fail(f"{len(plan.waiting) - len(ended)} have moved on, or are in a worker's hands.", Exit.NO)


def _say(plan: Retrying) -> None:
    for (channel, code), count in sorted(Counter((d.channel, d.code or "-") for d in plan.able).items()):
        console.print(f"{count} on {channel} that ended with {code}", markup=False)
    for each, address in plan.moved.items():
        console.print(
            f"{each} goes to the account's present address, {address}", markup=False, highlight=False
        )
    for obstacle, count in sorted(Counter(d.obstacle for d in plan.left).items()):
        console.print(f"{count} left out: {obstacle}", style="yellow", markup=False)
    console.print(f"{len(plan.able)} in all; cost: {told(plan.cost)}", markup=False)


def _upper(word: str | None) -> str | None:
    return word.upper() if word else None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    listed = examples(
        "fleet deliveries --status FAILED --channel SMS --since 6h", "fleet deliveries --code http_400 --json"
    )
    app.command(rich_help_panel="Look", epilog=listed)(deliveries)
    retried = examples(
        "fleet retry 0f8fad5b-d9cb-469f-a165-70867728950e",
        'fleet retry --code 30003 --since 6h --why "the operator was down" --yes',
    )
    app.command(rich_help_panel="By hand", epilog=retried)(retry)
    given_up = examples('fleet give-up 0f8fad5b-d9cb-469f-a165-70867728950e --why "sent by post" --yes')
    app.command("give-up", rich_help_panel="By hand", epilog=given_up)(give_up)
