"""Logs: readable in a terminal, JSON elsewhere. Ids only; never an address, a name or a body.

What a line is about is in fields of its own: ``event_id``, ``notice_id``, ``delivery_id``, ``attempt``, which
is its token, ``order_id``, ``callback_id``. They are bound while one thing is worked on, or given with the
line as ``extra``.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from tasks.schedule import CALLED_NOTHING, TICK

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

FIELDS = ("event_id", "notice_id", "delivery_id", "attempt", "order_id", "callback_id")
"""What a line may have beside its words."""


def configure(level: str, process: str | None = None, *, traced: bool = False) -> None:
    """Send everything that is logged to standard error.

    Args:
        level: The lowest level to show.
        process: Which process this is, for each line to say; None for a command.
        traced: Whether there are traces: then a line about an event names its trace.
    """
    in_terminal = sys.stderr.isatty()
    stamps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if process is not None:
        stamps.append(_constant("process", process))
    if traced:
        stamps.append(_name_trace)
    # Tracebacks without the values of variables: among these are addresses, bodies and keys.
    traceback = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    renderer: list[Processor] = (
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


def _constant(field: str, value: str) -> Processor:
    def add(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        del logger, method
        line[field] = value
        return line

    return add


def _name_trace(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """An event's trace has the event's id, as traces write it."""
    del logger, method
    if "event_id" in line:
        line["trace_id"] = str(line["event_id"]).replace("-", "")
    return line


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
