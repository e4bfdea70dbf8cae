"""The tables of docs/cli.md, made from the commands themselves: python -m tests.workers.command_page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.workers.commands_walked import FLEET, Walked, walked
from workers.commands.output import Exit
from workers.runnable import known

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs/cli.md"

_EXITS = {
    Exit.OK: "done",
    Exit.NO: "the answer is no: not found, refused, not sent, not as it should be",
    Exit.USAGE: "the call or the settings are wrong; nothing was done",
    Exit.AWAY: "the database, the broker or a provider does not answer; try again",
}


def exits() -> Iterator[str]:
    yield from ("| code | meaning |", "|---|---|")
    yield from (f"| {code.value} | {told} |" for code, told in _EXITS.items())


def commands() -> Iterator[str]:
    panels: dict[str, list[Walked]] = {}
    for each in walked():
        panels.setdefault(_panel(each), []).append(each)
    for panel, found in panels.items():
        yield from ("", f"### {panel}", "")
        yield from ("| command | what it does | `--json` | `--dry-run` |", "|---|---|---|---|")
        for each in found:
            does = " ".join((each.command.help or "").split("\n\n")[0].split())
            marks = ("yes" if option in each.options else "-" for option in ("--json", "--dry-run"))
            yield f"| `fleet {each.name}` | {does} | {' | '.join(marks)} |"


def tasks() -> Iterator[str]:
    yield from ("| task | what it does | takes |", "|---|---|---|")
    for each in known().values():
        takes = "; ".join(f"`{one.name}`: {one.meaning}, {one.kind}" for one in each.parameters)
        yield f"| `{each.name}` | {each.words} | {takes or 'nothing'} |"


_TABLES = {"exit codes": exits, "commands": commands, "tasks": tasks}


def written(page: str) -> str:
    """The page with its tables as they are now."""
    for name, make in _TABLES.items():
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        table = "\n".join(make()).lstrip()
        page = f"{before}<!-- {name} -->\n{table}\n{end}{after}"
    return page


def _panel(each: Walked) -> str:
    top = FLEET.commands[each.name.split()[0]]  # type: ignore[attr-defined]
    return str(getattr(top, "rich_help_panel", None) or "Others")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
