"""The commands by name, each imported when it is asked for: a process imports what it needs."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context

_MODULES = {
    "process_worker": ("worker",),
    "process_wakers": ("relay", "beat"),
    "process_ingress": ("ingress",),
    "process_flower": ("flower",),
    "local": ("up", "demo"),
    "process_sandbox": ("sandbox",),
    "look": ("status", "explain"),
    "checking": ("check",),
    "examining": ("doctor",),
    "deliveries": ("deliveries", "retry", "give-up"),
    "byhand": ("deliver",),
    "parked": ("dead-letters", "replay", "pause", "resume"),
    "people": ("preferences",),
    "suppressed": ("suppressions", "suppress", "unsuppress"),
    "rendering": ("render",),
    "scheduling": ("schedule",),
    "running": ("tasks", "run"),
    "reconciling": ("reconcile", "settle"),
    "reminding": ("reminders", "remind"),
    "findings": ("findings",),
    "payment_links": ("links",),
    "database": ("db",),
    "gdpr": ("gdpr",),
    "configuring": ("settings",),
}
"""The commands of each module of this package, in the order of ``fleet --help``."""


class _Commands(MutableMapping[str, "Command"]):
    """Commands by name, made by the module that has them."""

    def __init__(self) -> None:
        self._module_of = {name: module for module, names in _MODULES.items() for name in names}
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            self._made.update(_made_by(self._module_of[name]))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._module_of)

    def __len__(self) -> int:
        return len(self._module_of)

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name], self._module_of[name]


class OnDemand(TyperGroup):
    """The root of the command line."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Commands()

    def list_commands(self, ctx: Context) -> list[str]:
        """Give the names, importing none of their modules."""
        del ctx
        return list(self.commands)


def _made_by(module: str) -> MutableMapping[str, Command]:
    app = typer.Typer(add_completion=False)
    # Without a callback, Typer makes of a single command no group.
    app.callback()(lambda: None)
    import_module(f"workers.commands.{module}").register(app)
    return cast("TyperGroup", get_command(app)).commands
