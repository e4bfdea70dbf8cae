"""Everything that the fleet stands on, looked at in one go; ``fleet doctor`` prints it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from providers.transport import PooledTransport
from schedules.timetable import timetable
from workers.diagnosis import Diagnosis, State, examine
from workers.doctor_database import DatabaseDoctor
from workers.doctor_outside import OutsideDoctor
from workers.settings import DatabaseSettings, Settings, SettingsError
from workers.settings.shown import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from workers.diagnosis import Examination

_TOLD_VERSIONS: Final = ("partners-vrai-fleet", "celery", "sqlalchemy", "psycopg", "stripe", "twilio")


def diagnose(clock: Callable[[], datetime]) -> Iterator[Diagnosis]:
    """Look at everything, whatever else is wrong. Changes nothing.

    Args:
        clock: Gives the time, aware, UTC.
    """
    yield Diagnosis("versions", State.OK, _versions())
    try:
        settings = Settings.load()
    except SettingsError as error:
        yield Diagnosis("settings", State.FAULT, str(error), "set them; docs/configuration.md describes each")
        yield from _without_settings(clock)
        return
    yield Diagnosis("settings", State.OK, "complete")
    yield from _misspelt()
    transport = PooledTransport(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        connections=1,
    )
    outside = OutsideDoctor(settings, clock, transport)
    looks: list[Examination] = [
        ("database", _database(settings, clock).look),
        ("broker", outside.broker),
        ("keys", outside.keys),
        ("PUBLIC_URL", outside.public_address),
    ]
    yield from examine(looks)
    transport.close()


def _without_settings(clock: Callable[[], datetime]) -> Iterator[Diagnosis]:
    """The database needs its own address only."""
    try:
        settings = DatabaseSettings.load()
    except SettingsError:
        yield Diagnosis("database", State.SKIPPED, "DATABASE_URL is to be set first")
    else:
        yield from examine([("database", _database(settings, clock).look)])
    for about in ("broker", "keys", "PUBLIC_URL"):
        yield Diagnosis(about, State.SKIPPED, "the settings are to be mended first")


def _misspelt() -> Iterator[Diagnosis]:
    for name in unknown():
        mend = f"take it away, or write {name.nearest}" if name.nearest else "take it away"
        yield Diagnosis("settings", State.ADVICE, f"{name.name} ({name.source}) is no setting", mend)


def _database(settings: DatabaseSettings, clock: Callable[[], datetime]) -> DatabaseDoctor:
    return DatabaseDoctor(settings.database_url.get_secret_value(), timetable(settings.reminder_time), clock)


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _TOLD_VERSIONS)
    return f"Python {platform.python_version()}, {packages}"
