"""What is logged: where it happened, and nothing of whom."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

import db.engine

PROGRAM = """
import logging
from workers import logs
logs.configure("INFO")
def send(recipient, api_key):
    raise ValueError("no such template")
try:
    send("camille@example.com", "SG.secret")
except ValueError:
    logging.getLogger("services").exception("delivery %s could not be prepared", "0f8f")
"""


def test_a_traceback_names_the_place_and_no_value() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert line["event"] == "delivery 0f8f could not be prepared"
    assert "no such template" in done.stderr
    assert "camille@example.com" not in done.stderr
    assert "SG.secret" not in done.stderr


ABOUT = """
import logging
from structlog.contextvars import bound_contextvars
from workers import logs
logs.configure("INFO")
log = logging.getLogger("services")
log.warning("event e1 was passed over", extra={"event_id": "e1", "recipient": "camille@example.com"})
with bound_contextvars(delivery_id="d1", attempt="t1"):
    logging.getLogger("urllib3").warning("the line was lost")
log.info("afterwards")
"""

CELERY = """
import logging
from workers import logs
logs.configure("INFO")
received = "Task %(name)s[%(id)s] received"
ended = "Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"
strategy, trace = logging.getLogger("celery.worker.strategy"), logging.getLogger("celery.app.trace")
tick = "schedule.tick"
for name, said in ((tick, "called nothing"), (tick, "called tea"), ("email.send_due", "1 sent")):
    strategy.info(received, {"name": name, "id": "1"})
    trace.info(ended, {"name": name, "id": "1", "runtime": 0.1, "return_value": repr(said)})
logging.getLogger("celery.beat").info("Scheduler: Sending due task %s (%s)", "tick", "schedule.tick")
trace.error("Task %(name)s[%(id)s] raised", {"name": "schedule.tick", "id": "1"})
"""


def logged(program: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_names_what_it_is_about_and_nothing_else() -> None:
    event, delivery, afterwards = logged(ABOUT)
    assert event["event_id"] == "e1"
    assert (delivery["delivery_id"], delivery["attempt"]) == ("d1", "t1")
    assert {"event", "level", "logger", "timestamp"} == set(afterwards)
    assert "recipient" not in event


def test_a_tick_that_has_called_nothing_is_no_news() -> None:
    assert [line["event"] for line in logged(CELERY)] == [
        "Task schedule.tick[1] succeeded in 0.1s: 'called tea'",
        "Task email.send_due[1] received",
        "Task email.send_due[1] succeeded in 0.1s: '1 sent'",
        "Task schedule.tick[1] raised",
    ]


def test_an_error_of_the_database_quotes_no_parameter(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = db.engine.make_engine(database_url, pool_size=1)
    with engine.connect() as connection, pytest.raises(Exception, match="nonsense") as caught:
        connection.exec_driver_sql("select nonsense from profiles where full_name = %s", ("Camille Exemple",))
    engine.dispose()
    logging.getLogger("tests").info("%s", caught.value)
    assert "Camille" not in str(caught.value)
    assert "Camille" not in caplog.text
