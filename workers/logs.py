"""Logs: readable in a terminal, JSON elsewhere. Ids only; never an address, a name or a body."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure(level: str) -> None:
    """Send everything that is logged to standard error.

    Args:
        level: The lowest level to show.
    """
    in_terminal = sys.stderr.isatty()
    stamps: list[structlog.typing.Processor] = [
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Kombu and urllib3 tell of each retry, tornado of each request, and stripe of whole answers.
    for chatty in ("kombu", "urllib3", "tornado.access", "amqp", "stripe"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
