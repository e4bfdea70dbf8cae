"""What a person has said about being written to, shown and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import available_timezones

import typer
from rich.table import Table

from db.queries import interventions, preferences
from services.notifications.catalogue import Category
from services.notifications.consent import ASKED
from services.notifications.quiet import Quiet
from services.notifications.words import LOCALES
from workers.clock import utc_now
from workers.commands.asking import Who, Why, somebody
from workers.commands.opened import database, rehearsed
from workers.commands.output import AsJson, DryRun, Exit, console, examples, fail, print_json, uuid_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from db.queries.preferences import Preferences


def show_or_set_preferences(
    user: Annotated[str, typer.Argument(metavar="USER", help="A person's id.")],
    *,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change one; without a value nothing is said of it."
        ),
    ] = None,
    why: Why = None,
    who: Who = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or change what a person has said about being written to.

    Names: locale, time_zone, prefers_sms, refused_channels, opted_out, quiet_hours.
    """
    user_id = uuid_argument(user)
    wanted = dict(_change(change) for change in changes or [])
    by = somebody(who=who, why=why) if wanted else None
    now = utc_now()
    with database() as sessions, rehearsed(sessions, dry_run=dry_run) as session:
        if not preferences.is_person(session, user_id):
            raise fail(f"The platform knows no person {user_id}.", Exit.NO)
        said = preferences.lock(session, user_id)
        if by is not None:
            before = {*said.opted_out}
            values = {name: value for part in wanted.values() for name, value in part.items()}
            said = preferences.change(session, said, values, now)
            details = {
                "set": sorted(wanted),
                "opted_in": sorted(before - {*said.opted_out}),
                "opted_out": sorted({*said.opted_out} - before),
            }
            interventions.record(session, by, "preferences", details, [user_id], at=now)
    if as_json:
        print_json(said)
        return
    if dry_run and wanted:
        console.print("Nothing was done. They would be:")
    console.print(_said(said))


def _said(said: Preferences) -> Table:
    table = Table(show_edge=False, box=None, pad_edge=False, show_header=False)
    quiet = f"{said.quiet_from:%H:%M}-{said.quiet_to:%H:%M}" if said.quiet_from and said.quiet_to else "-"
    for name, value in (
        ("locale", said.locale or "-"),
        ("time_zone", said.time_zone or "-"),
        ("prefers_sms", "yes" if said.prefers_sms else "no"),
        ("refused_channels", ", ".join(said.refused_channels) or "-"),
        ("opted_out", ", ".join(said.opted_out) or "-"),
        ("quiet_hours", quiet),
        ("last changed", f"{said.updated_at:%Y-%m-%d %H:%M:%S} UTC" if said.updated_at else "never"),
    ):
        table.add_row(name, value)
    return table


def _change(given: str) -> tuple[str, dict[str, Any]]:
    """Read one ``--set``: its name, and the attributes that it gives new values.

    Raises:
        typer.BadParameter: It is none.
    """
    name, equals, value = given.partition("=")
    read = _READERS.get(name.strip())
    if read is None or not equals:
        raise typer.BadParameter(f"{given!r} is not NAME=VALUE with one of {', '.join(_READERS)}")
    return name.strip(), read(value.strip())


def _one_of(name: str, known: Callable[[], set[str]], example: str) -> Callable[[str], dict[str, Any]]:
    def read(value: str) -> dict[str, Any]:
        if value and value not in known():
            raise typer.BadParameter(f"{value!r} is no {name}: give one such as {example}")
        return {name: value or None}

    return read


def _some_of(name: str, known: set[str]) -> Callable[[str], dict[str, Any]]:
    def read(value: str) -> dict[str, Any]:
        words = {word.strip().upper() for word in value.split(",") if word.strip()}
        if words - known:
            raise typer.BadParameter(f"{value!r}: give some of {', '.join(sorted(known))}, or nothing")
        return {name: sorted(words)}

    return read


def _yes_or_no(value: str) -> dict[str, Any]:
    if value not in {"yes", "no", ""}:
        raise typer.BadParameter(f"{value!r} is neither yes nor no")
    return {"prefers_sms": value == "yes"}


def _quiet_hours(value: str) -> dict[str, Any]:
    try:
        quiet = Quiet.read(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return {"quiet_from": quiet.start if quiet else None, "quiet_to": quiet.end if quiet else None}


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "locale": _one_of("locale", lambda: set(LOCALES), "fr"),
    "time_zone": _one_of("time_zone", available_timezones, "Europe/Paris"),
    "prefers_sms": _yes_or_no,
    "refused_channels": _some_of("refused_channels", set(ASKED)),
    "opted_out": _some_of("opted_out", {category.value for category in Category}),
    "quiet_hours": _quiet_hours,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples(
        "fleet preferences 0f8fad5b-d9cb-469f-a165-70867728950e",
        'fleet preferences 0f8fad5b-d9cb-469f-a165-70867728950e --set locale=en --why "asked by phone"',
    )
    app.command("preferences", rich_help_panel="By hand", epilog=shown)(show_or_set_preferences)
