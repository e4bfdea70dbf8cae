"""What is logged: where it happened, and nothing of whom."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

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
