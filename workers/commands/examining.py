"""``fleet doctor``: what is wrong with all that the fleet stands on, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from rich.text import Text

from workers.clock import utc_now
from workers.commands.output import AsJson, Exit, console, examples, print_json
from workers.diagnosis import State
from workers.doctor import diagnose

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.diagnosis import Diagnosis

_STYLES: Final = {State.OK: "green", State.ADVICE: "yellow", State.SKIPPED: "dim"}


def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, database, broker, keys, public address, clocks and timetable; say how to mend faults.

    Asks questions that change nothing, and looks at everything even where something fails. Exits with 0 where
    nothing must be mended (advice is told all the same), 1 where something must, 2 where it is the settings,
    and 3 where the database or the broker does not answer.
    """
    found: list[Diagnosis] = []
    for each in diagnose(utc_now):
        found.append(each)
        if not as_json:
            _show(each)
    if as_json:
        print_json(found)
    raise typer.Exit(exit_code(found))


def _show(diagnosis: Diagnosis) -> None:
    style = _STYLES.get(diagnosis.state, "bold red")
    line = Text.assemble((f"{diagnosis.state:8}", style), f"{diagnosis.about}: {diagnosis.told}")
    console.print(line, soft_wrap=True)
    if diagnosis.mend:
        console.print(Text(f"        mend: {diagnosis.mend}"), soft_wrap=True)


def exit_code(found: Collection[Diagnosis]) -> Exit:
    """The command's exit code.

    Args:
        found: All that was found.
    """
    if any(each.about == "settings" and each.state is State.FAULT for each in found):
        return Exit.USAGE
    states = {each.state for each in found}
    if State.AWAY in states:
        return Exit.AWAY
    return Exit.NO if State.FAULT in states else Exit.OK


def register(app: typer.Typer) -> None:
    """Add the command."""
    shown = examples("fleet doctor", "fleet doctor --json")
    app.command(rich_help_panel="Look", epilog=shown)(doctor)
