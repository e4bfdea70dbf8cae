"""Errors, told to Sentry: where and of what kind, and nothing of whom.

Nothing leaves that is not listed below. An exception goes without its words, for those of the database quote
rows and those of a template what it was given; frames go without the values of variables. What is logged as
an error goes in its own words where it is a room of the fleet's that says it, for these name ids only, and
otherwise by its template.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.utils import BadDsn
from structlog.contextvars import get_contextvars

from workers.logs import FIELDS
from workers.settings import SettingsError

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from sentry_sdk.types import Event, Hint

STOP_SECONDS: Final = 3.0

_ROOMS: Final = frozenset({"db", "providers", "services", "tasks", "schedules", "workers"})
_KEPT: Final = ("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "sdk")
_KEPT_OF_FRAME: Final = (
    *("filename", "module", "function", "lineno", "in_app"),
    *("pre_context", "context_line", "post_context"),
)


def report(dsn: str, process: str, release: str, environment: str) -> None:
    """Tell Sentry of what is logged as an error, and of what ends the process.

    Nothing is told of what goes well, of requests, or of who has sent them; and where Sentry is away, nobody
    waits for it.

    Args:
        dsn: Where to, with the key.
        process: Which process of the fleet this is.
        release: The fleet's version.
        environment: Where it runs, as ``production``.

    Raises:
        SettingsError: The DSN is none.
    """
    # Celery's, Starlette's and the database's integrations would add arguments, requests and queries, and
    # the default ones the command line; what fails in any of them is logged as an error.
    integrations = [
        LoggingIntegration(level=None, sentry_logs_level=None),
        ExcepthookIntegration(),
        DedupeIntegration(),
    ]
    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"fleet@{release}",
            environment=environment,
            server_name=process,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=integrations,
            before_send=_scrub,
            max_breadcrumbs=0,
            include_local_variables=False,
            max_request_body_size="never",
            auto_session_tracking=False,
            send_client_reports=False,
            enable_metrics=False,
            propagate_traces=False,
            shutdown_timeout=STOP_SECONDS,
        )
    except BadDsn:
        raise SettingsError(
            "SENTRY_DSN is no DSN. Copy it whole from the project's settings at Sentry: https://KEY@HOST/NUMBER"
        ) from None
    sentry_sdk.set_tag("process", process)
    atexit.register(stop)


def stop() -> None:
    """Send what waits, for no longer than a stop may take."""
    sentry_sdk.get_client().close(timeout=STOP_SECONDS)


def _scrub(event: Event, hint: Hint) -> Event | None:
    told: dict[str, Any] = {name: value for name, value in event.items() if name in _KEPT}
    record: logging.LogRecord | None = hint.get("log_record")
    tags = {"process": event.get("tags", {}).get("process"), **_about(record)}
    told["tags"] = {name: str(value) for name, value in tags.items() if value is not None}
    if record is not None:
        own = record.name.split(".")[0] in _ROOMS
        told["logentry"] = {"message": record.getMessage() if own else str(record.msg)}
        # Otherwise each id would make a problem of its own.
        if not record.exc_info:
            told["fingerprint"] = [record.name, str(record.msg)]
    thrown = event.get("exception", {}).get("values", [])
    if thrown:
        told["exception"] = {"values": [_without_words(each) for each in thrown]}
    return told  # type: ignore[return-value]  # of the same shape, with less in it


def _about(record: logging.LogRecord | None) -> Mapping[str, object]:
    given = {} if record is None else vars(record)
    return {name: value for name in FIELDS if (value := given.get(name) or get_contextvars().get(name))}


def _without_words(thrown: Mapping[str, Any]) -> dict[str, Any]:
    frames = (thrown.get("stacktrace") or {}).get("frames", [])
    kept = [{name: frame[name] for name in _KEPT_OF_FRAME if name in frame} for frame in frames]
    return {
        "type": thrown.get("type"),
        "module": thrown.get("module"),
        "mechanism": {"type": "generic", "handled": (thrown.get("mechanism") or {}).get("handled")},
        "stacktrace": {"frames": kept},
    }
