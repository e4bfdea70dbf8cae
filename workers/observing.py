"""What others are told of a process: its log, its traces, its errors."""

from __future__ import annotations

import atexit
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from services import witness
from workers import logs
from workers.settings import SettingsError

if TYPE_CHECKING:
    from workers.settings import Settings

DISTRIBUTION: Final = "partners-vrai-fleet"


def observe(settings: Settings, process: str) -> None:
    """Set up the log, and the traces and the reports of errors where the settings ask for them.

    What waits to be sent is sent when the interpreter ends, which takes some seconds at most.

    Args:
        settings: The process's.
        process: Its name: worker, relay, beat, ingress, flower.

    Raises:
        SettingsError: The settings ask for what is not installed, or their value is none.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    logs.configure(settings.log_level, process, traced=endpoint is not None)
    if endpoint is not None:
        _trace(str(endpoint), process, settings.environment)
    if settings.sentry_dsn is not None:
        _report(settings.sentry_dsn.get_secret_value(), process, settings.environment)


def _trace(endpoint: str, process: str, environment: str) -> None:
    try:
        from workers.tracing import Tracing  # noqa: PLC0415 - an extra, and heavy
    except ModuleNotFoundError as error:
        raise _missing("OTEL_EXPORTER_OTLP_ENDPOINT", "tracing", error) from None
    tracing = Tracing(endpoint, process, version(DISTRIBUTION), environment)
    witness.watch(tracing)
    atexit.register(tracing.stop)


def _report(dsn: str, process: str, environment: str) -> None:
    try:
        from workers.reporting import report  # noqa: PLC0415 - an extra, and heavy
    except ModuleNotFoundError as error:
        raise _missing("SENTRY_DSN", "sentry", error) from None
    report(dsn, process, version(DISTRIBUTION), environment)


def _missing(variable: str, extra: str, error: ModuleNotFoundError) -> SettingsError:
    missed = (error.name or extra).split(".")[0]
    return SettingsError(
        f"{variable} is set, and {missed} is not installed. Install the extra that brings it,"
        f" uv pip install '{DISTRIBUTION}[{extra}]', or take {variable} away."
    )
