"""How long a provider waits for the answer to its callback, and what health and metrics cost, by backlog."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from math import ceil
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from tests.benchmarks.waiting import wait_for
from workers.dev.stack import Stack, bare_environment
from workers.ingress.app import HEALTH_KEPT_SECONDS
from workers.metrics import KEPT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.embedded.redis import EmbeddedRedis

POSTS = 600
WARM_UP = 50
SIDE_BY_SIDE = 8
BACKLOGS = (0, 100_000)

_BACKLOG = text("""
    insert into fleet.inbox (provider, callback_id, body)
    select 'twilio', 'backlog-' || n, '{"MessageSid": "SM0", "MessageStatus": "sent"}'
    from generate_series(1, :count) n
""")


@pytest.fixture
def stack(database_url: str, redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Stack]:
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url}
    with Stack(tmp_path, bare_environment(os.environ) | given, processes=("ingress",)) as stack:
        yield stack


class Twilio:
    """Posts signed statuses, each of a message of its own, over a connection that it keeps."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._url = environment["PUBLIC_URL"].rstrip("/")
        self._validator = RequestValidator(environment["TWILIO_AUTH_TOKEN"])

    def post(self, count: int) -> list[float]:
        """Post so many; milliseconds of each."""
        took = []
        with closing(HTTPConnection(urlsplit(self._url).netloc)) as line:
            for _ in range(count):
                path = f"/webhooks/twilio/status?attempt={uuid4()}"
                form = {"MessageSid": f"SM{uuid4().hex}", "MessageStatus": "delivered", "To": "+33639980001"}
                signature = self._validator.compute_signature(self._url + path, form)
                headers = {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "X-Twilio-Signature": signature,
                }
                begun = time.perf_counter()
                line.request("POST", path, urlencode(form), headers)
                answer = line.getresponse()
                answer.read()
                took.append((time.perf_counter() - begun) * 1000)
                assert answer.status == 204
        return took

    def answered(self) -> bool:
        """Whether anybody is there yet."""
        try:
            self.get("/live")
        except ConnectionRefusedError:
            return False
        return True

    def get(self, path: str) -> float:
        """Milliseconds of one answer."""
        with closing(HTTPConnection(urlsplit(self._url).netloc)) as line:
            begun = time.perf_counter()
            line.request("GET", path)
            line.getresponse().read()
            return (time.perf_counter() - begun) * 1000


def test_answer_to_a_signed_callback(stack: Stack, sessions: sessionmaker[Session]) -> None:
    twilio = Twilio(stack.environment)
    wait_for(twilio.answered, 20.0, "the ingress answers")
    rows = [f"{'milliseconds':52} {'p50':>7} {'p95':>7} {'max':>7} {'a second':>9}"]
    twilio.post(WARM_UP)
    for backlog in BACKLOGS:
        with sessions.begin() as session:
            session.execute(_BACKLOG, {"count": backlog})
        begun = time.perf_counter()
        one_by_one = twilio.post(POSTS)
        rate = POSTS / (time.perf_counter() - begun)
        rows.append(_line(f"status, {backlog:,} unworked callbacks before it", one_by_one, rate))
        begun = time.perf_counter()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            each = [threads.submit(twilio.post, POSTS // SIDE_BY_SIDE) for _ in range(SIDE_BY_SIDE)]
            together = [took for future in each for took in future.result()]
        rate = POSTS / (time.perf_counter() - begun)
        rows.append(_line(f"  {SIDE_BY_SIDE} side by side", together, rate))
        rows.append(
            _line("  /health, asked of the database", _spaced(twilio, "/health", HEALTH_KEPT_SECONDS, 5))
        )
        rows.append(_line("  /metrics, asked of the database", _spaced(twilio, "/metrics", KEPT_SECONDS, 1)))
    sys.stdout.write("\n\n" + "\n".join(rows) + "\n")


def _spaced(twilio: Twilio, path: str, seconds: float, count: int) -> list[float]:
    """Milliseconds of answers so far apart that each is asked of the database."""
    took = []
    for _ in range(count):
        time.sleep(seconds)
        took.append(twilio.get(path))
    return took


def _line(label: str, took: list[float], rate: float | None = None) -> str:
    p95 = sorted(took)[ceil(0.95 * len(took)) - 1]
    a_second = "" if rate is None else f"{rate:9.0f}"
    return f"{label:52} {median(took):7.1f} {p95:7.1f} {max(took):7.1f} {a_second}".rstrip()
