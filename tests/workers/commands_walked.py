"""Every command of the command line, as Typer has it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer.main
from typer.core import TyperGroup

from workers.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typer._click import Command, Parameter

FLEET = typer.main.get_command(app)


@dataclass(frozen=True)
class Walked:
    """A command.

    Attributes:
        name: As it is typed, without ``fleet``.
        command: Itself.
    """

    name: str
    command: Command

    @property
    def options(self) -> Mapping[str, Parameter]:
        return {
            option: each
            for each in self.command.params
            for option in (*each.opts, *each.secondary_opts)
            if option.startswith("-") and option != "--help"
        }

    @property
    def examples(self) -> list[str]:
        heading, *lines = (self.command.epilog or "").splitlines() or [""]
        return lines if heading == "Examples:" else []


def walked(command: Command = FLEET, path: tuple[str, ...] = ()) -> Iterator[Walked]:
    """Those that do something: groups that only hold others are left out."""
    if isinstance(command, TyperGroup):
        if path and command.invoke_without_command:
            yield Walked(" ".join(path), command)
        for name in command.commands:
            yield from walked(command.commands[name], (*path, name))
    else:
        yield Walked(" ".join(path), command)


def parsed(example: str) -> str:
    """Parse an example as the program would, running nothing; give the command that it names.

    Raises:
        typer._click.UsageError: It would not do.
    """
    program, *words = shlex.split(example.partition(" > ")[0])
    assert program == "fleet"
    command, path = FLEET, []
    while isinstance(command, TyperGroup) and words and re.match(r"[a-z]", words[0]):
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    command.make_context(" ".join(path), words, resilient_parsing=False)
    return " ".join(path)
