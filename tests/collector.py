"""Others' side of traces and reports: a real HTTP server that keeps whatever it is sent."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What was posted.

    Attributes:
        url: Where it listens.
        status: What it answers.
        posted: Path and body of each, unpacked.
    """

    url: str
    status: int = 200
    posted: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        return b"\n".join(body for _, body in self.posted)

    def spans(self) -> list[Span]:
        """The spans, in the order of their beginnings."""
        spans: list[Span] = []
        for path, body in self.posted:
            assert path == "/v1/traces"
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            spans += [
                span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans
            ]
        return sorted(spans, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano))

    def reports(self) -> list[dict[str, Any]]:
        """The events of Sentry's envelopes: a header, and then each item's header and body in lines."""
        events = []
        for path, body in self.posted:
            assert path == "/api/1/envelope/"
            _, *items = body.splitlines()
            for header, payload in zip(items[::2], items[1::2], strict=True):
                assert json.loads(header)["type"] == "event"
                events.append(json.loads(payload))
        return events


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            collector.posted.append((self.path, body))
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
