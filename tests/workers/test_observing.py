"""What a process tells others: nothing unless it is asked to, and then until its last breath."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.collector import collecting

START = """
import os, sys
from pydantic import HttpUrl, SecretStr
from workers.observing import observe
from workers.settings import Settings
endpoint, dsn = os.environ.get("ENDPOINT"), os.environ.get("DSN")
settings = Settings.model_construct(
    log_level="INFO",
    environment="test",
    otel_exporter_otlp_endpoint=endpoint and HttpUrl(endpoint),
    sentry_dsn=dsn and SecretStr(dsn),
)
"""
ASLEEP = f"""{START}
import workers.bootstrap
observe(settings, "worker")
import logging
logging.getLogger("services").warning("hello", extra={{"event_id": "e-1"}})
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"opentelemetry", "sentry_sdk"}}))
"""
MISSING = f"""{START}
from workers.settings import SettingsError
for module, setting, given in (
    ("opentelemetry", "otel_exporter_otlp_endpoint", HttpUrl("http://127.0.0.1:9")),
    ("sentry_sdk", "sentry_dsn", SecretStr("http://key@127.0.0.1:9/1")),
):
    sys.modules[module] = None
    try:
        observe(settings.model_copy(update={{setting: given}}), "worker")
    except SettingsError as error:
        print(error)
"""
# A worker's task fails, an event is on its way, and then the process ends by itself.
BUSY = f"""{START}
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID
from celery import Celery
from sqlalchemy.orm import Session
from services import witness
from services.witness import ROOT, Moment
from tasks import byhand
observe(settings, "worker")

class Failing:
    def one(self, delivery_id):
        raise LookupError("camille@example.com is Camille Exemple")

app = Celery("fleet", set_as_current=False)
byhand.register(app, {{"EMAIL": Failing()}}, None)
with ThreadPoolExecutor(1) as threads:
    threads.submit(app.tasks[byhand.SEND_ONE].apply, ("EMAIL", "5c9bf28e-6a7c-4d0c-8a3c-0f2f6d1b9a55"))
event_id, now = UUID("0f0e0d0c-0b0a-4908-8706-050403020100"), datetime.now(UTC)
logging.getLogger("services").info("on its way", extra={{"event_id": str(event_id)}})
with Session() as session, session.begin():
    witness.tell(session, lambda: [Moment("event", event_id, ROOT, None, now, now)])
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_without_their_variables_nothing_of_them_is_imported() -> None:
    done = run(ASLEEP)
    assert done.stdout.strip() == "[]"
    line = json.loads(done.stderr)
    assert line["process"] == "worker"
    assert "trace_id" not in line


def test_what_is_asked_for_and_not_installed_is_named() -> None:
    traces, reports = run(MISSING).stdout.splitlines()
    assert traces.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, and opentelemetry is not installed.")
    assert "partners-vrai-fleet[tracing]" in traces
    assert reports.startswith("SENTRY_DSN is set, and sentry_sdk is not installed.")
    assert "partners-vrai-fleet[sentry]" in reports


def test_what_waits_is_sent_before_the_process_ends() -> None:
    with collecting() as traces, collecting() as reports:
        dsn = f"{reports.url.replace('://', '://key@')}/1"
        done = run(BUSY, ENDPOINT=traces.url, DSN=dsn)
    (span,) = traces.spans()
    assert (span.name, span.trace_id.hex()) == ("event", "0f0e0d0c0b0a49088706050403020100")
    (line,) = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "on its way"]
    assert (line["process"], line["trace_id"]) == ("worker", span.trace_id.hex())

    (told,) = reports.reports()
    assert told["logentry"]["message"].startswith("Task %(name)s[%(id)s]")
    assert [each["type"] for each in told["exception"]["values"]] == ["LookupError"]
    assert b"amille" not in reports.raw
    assert b"xemple" not in reports.raw
