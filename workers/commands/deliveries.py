"""Deliveries as an operator finds them, and the failed ones sent once more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from db.queries import failures
from db.queries.failures import Wanted
from workers import steering
from workers.clock import utc_now
from workers.commands.asking import Since, Who, Why, Yes, agreed, moment
from workers.commands.costs import told
from workers.commands.opened import database
from workers.commands.output import AsJson, Exit, console, fail, print_json, uuid_argument

if TYPE_CHECKING:
    from workers.steering import Retrying

Channel = Annotated[str | None, typer.Option(help="EMAIL, WHATSAPP, SMS, IN_APP or PUSH.")]
Code = Annotated[str | None, typer.Option(help="That ended with this code, such as http_400 or 30006.")]
Template = Annotated[str | None, typer.Option(help="In the words of this template, such as WELCOME.")]


def deliveries(
    *,
    status: Annotated[str | None, typer.Option(help="PENDING, SENT, FAILED or BOUNCED.")] = None,
    channel: Channel = None,
    code: Code = None,
    template: Template = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=steering.MOST, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first; without names and addresses. fleet explain tells one's whole story.

    Example: fleet deliveries --status FAILED --channel SMS --since 6h
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
    as_json: AsJson = False,
) -> None:
    """Send failed and bounced deliveries once more. Says first how many, and what they would cost.

    Left out are those that another delivery has made needless: duplicates, and WhatsApp where SMS took over.

    Example: fleet retry --code 30003 --since 6h --why "the operator was down" --yes
    """
    chosen = [uuid_argument(some_id) for some_id in ids] if ids else None
    if chosen is None and code is None and since is None:
        raise fail("Name deliveries by their ids, or by --code or --since: never all there are.", Exit.USAGE)
    wanted = Wanted(chosen, _upper(channel), None, code, _upper(template), moment(since))
    with database() as sessions:
        with sessions() as session:
            plan = steering.plan_retry(session, wanted, utc_now())
        if as_json and not yes:
            print_json({"retry": plan.able, "left": plan.left, "cost": plan.cost})
            return
        if not as_json:
            _say(plan)
        if not plan.able:
            raise fail("None of them can be sent once more.", Exit.NO)
        by = agreed(yes=yes, who=who, why=why)
        if by is None:
            return
        with sessions.begin() as session:
            details = {"code": code, "channel": channel, "since": since}
            again = steering.retry(session, [d.delivery_id for d in plan.able], by, details)
    if as_json:
        print_json({"retried": again})
    else:
        console.print(f"{len(again)} are due again.")


def _say(plan: Retrying) -> None:
    for (channel, code), count in sorted(Counter((d.channel, d.code or "-") for d in plan.able).items()):
        console.print(f"{count} on {channel} that ended with {code}", markup=False)
    for obstacle, count in sorted(Counter(d.obstacle for d in plan.left).items()):
        console.print(f"{count} left out: {obstacle}", style="yellow", markup=False)
    console.print(f"{len(plan.able)} in all; cost: {told(plan.cost)}", markup=False)


def _upper(word: str | None) -> str | None:
    return word.upper() if word else None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel="Look")(deliveries)
    app.command(rich_help_panel="By hand")(retry)
