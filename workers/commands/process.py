"""What the commands that run a process share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Final

import typer
from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from workers.observing import observe
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PANEL: Final = "Processes"
LOOPBACK: Final = "127.0.0.1"

Host = Annotated[str, typer.Option(help="Address to listen on.")]


def started(process: str) -> Settings:
    """Load the settings of a process, and set up its log, traces and reports of errors.

    Raises:
        SettingsError: They can't be used.
    """
    settings = Settings.load()
    observe(settings, process)
    return settings


def sessions_of(settings: Settings) -> sessionmaker[Session]:
    """For processes that send nothing themselves, and need neither words nor drains."""
    return sessionmaker(make_engine(settings.database_url.get_secret_value()), expire_on_commit=False)


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Have SIGINT and SIGTERM end the process in order."""

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
