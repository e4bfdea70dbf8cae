"""Logs: readable in a terminal, JSON elsewhere. Ids only; never an address, a name or a body.

What a line is about is in fields of its own: ``event_id``, ``notice_id``, ``delivery_id``, and ``attempt``,
its token. They are bound while one thing is worked on, or given with the line as ``extra``.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from tasks.schedule import CALLED_NOTHING, TICK

FIELDS = ("event_id", "notice_id", "delivery_id", "attempt")
"""What a line may have beside its words."""


def configure(level: str) -> None:
    """Send everything that is logged to standard error.

    Args:
        level: The lowest level to show.
    """
    in_terminal = sys.stderr.isatty()
    stamps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks without the values of variables: among these are addresses, bodies and keys.
    traceback = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if in_terminal
        else [traceback, structlog.processors.JSONRenderer()]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stamps,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Kombu and urllib3 tell of each retry, tornado of each request, and stripe of whole answers.
    for chatty in ("kombu", "urllib3", "tornado.access", "amqp", "stripe"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _is_news(record: logging.LogRecord) -> bool:
    """Celery tells of a tick each second, thrice; of one that has called nothing nobody need hear."""
    if record.levelno > logging.INFO:
        return True
    match record.args:
        case {"name": name, "return_value": said} if name == TICK:
            return CALLED_NOTHING not in str(said)
        case {"name": name} if name == TICK:
            return False
        case (_, task) if task == TICK:
            return False
    return True
