"""Traces: the moments of an event's way as spans, sent to a collector by OTLP over HTTP.

A trace's id is the UUID of what everything in it follows from, and the ids of its spans are made from the
moments' own: so every process of the fleet agrees on them, nothing has to be carried along, and what is told
twice is one span. The spans wait in a bounded queue, and a thread of its own sends them.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from services.witness import Moment

log = logging.getLogger(__name__)

QUEUE: Final = 8192
"""Spans that wait at most; 10 MB, and beyond it the oldest are dropped."""

BATCH: Final = 512
EVERY_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 3.0
"""For one batch, trying again included."""

STOP_SECONDS: Final = 3.0
"""In which a stopping process may still send; what is under way then may take its timeout beyond that."""

TELL_LOSS_EVERY_SECONDS: Final = 300.0

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_BAD_END: Final = Status(StatusCode.ERROR)
_UNSET: Final = Status(StatusCode.UNSET)
_PREFIX: Final = "fleet."


class Tracing:
    """Takes moments, and sends them as spans.

    Args:
        endpoint: The collector's base address; spans go to ``/v1/traces`` below it.
        process: Which process of the fleet this is.
        release: The fleet's version.
        environment: Where it runs, as ``production``.
    """

    def __init__(self, endpoint: str, process: str, release: str, environment: str) -> None:
        # It tells of each batch that it could not send, and quotes what the other side said.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        url = f"{endpoint.rstrip('/')}/v1/traces"
        self._exporter = _Patient(OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_SECONDS))
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=QUEUE,
            schedule_delay_millis=EVERY_SECONDS * 1000,
            max_export_batch_size=BATCH,
        )
        self._resource = Resource.create(
            {
                "service.namespace": "fleet",
                "service.name": f"fleet-{process}",
                "service.version": release,
                "deployment.environment.name": environment,
            }
        )
        self._scope = InstrumentationScope("fleet", release)

    def __call__(self, moments: Iterable[Moment]) -> None:
        """Queue moments; as quick as that, whatever the collector does."""
        for moment in moments:
            self._processor.on_end(self._span(moment))

    def flush(self) -> None:
        """Send what waits, and wait for it."""
        self._processor.force_flush()

    def stop(self) -> None:
        """Send what waits, for no longer than a stop may take, and take nothing more."""
        self._exporter.hurry(STOP_SECONDS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _span(self, moment: Moment) -> ReadableSpan:
        # A tracer would draw the ids and take the time of now.
        began = _nanoseconds(moment.began_at)
        return ReadableSpan(
            name=moment.name,
            context=_context(moment.trace, moment.id),
            parent=_context(moment.trace, moment.parent) if moment.parent else None,
            resource=self._resource,
            attributes={
                _PREFIX + name: value if isinstance(value, int) else str(value)
                for name, value in moment.about.items()
                if value is not None
            },
            kind=SpanKind.CLIENT if moment.name == "send" else SpanKind.INTERNAL,
            status=_BAD_END if moment.failed else _UNSET,
            start_time=began,
            # The two may be told by the clocks of two machines.
            end_time=max(began, _nanoseconds(moment.ended_at)),
            instrumentation_scope=self._scope,
        )


class _Patient(SpanExporter):
    """An exporter whose failures are told seldom, in a line of ours, and which can be told to hurry.

    Args:
        exporter: Sends.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._until: float | None = None
        self._lost = 0
        self._told_at: float | None = None

    def hurry(self, seconds: float) -> None:
        """Begin no other batch after so many seconds."""
        self._until = time.monotonic() + seconds

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, unless it is too late."""
        result = SpanExportResult.FAILURE
        if self._until is None or time.monotonic() < self._until:
            try:
                result = self._exporter.export(spans)
            except Exception as error:  # noqa: BLE001 - traces may fail in any way, and nothing else with them
                log.debug("a batch of spans failed with %s", type(error).__name__)
        if result is SpanExportResult.FAILURE:
            self._tell_loss(len(spans))
        return result

    def shutdown(self) -> None:
        """Close the connections."""
        self._exporter.shutdown()
        if self._lost:
            log.warning("traces: %d spans were lost at the end", self._lost)

    def _tell_loss(self, count: int) -> None:
        self._lost += count
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= TELL_LOSS_EVERY_SECONDS:
            log.warning("traces: the collector has not taken %d spans; they are lost", self._lost)
            self._lost, self._told_at = 0, now


def _context(trace: UUID, id_: str) -> SpanContext:
    span = blake2b(id_.encode(), digest_size=8, key=trace.bytes).digest()
    return SpanContext(trace.int, int.from_bytes(span), is_remote=False, trace_flags=_SAMPLED)


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
