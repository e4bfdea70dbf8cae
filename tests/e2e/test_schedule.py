"""The timetable kept by real processes, with a second beat beside the first."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from workers.dev.processes import ChildProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Fleet

pytestmark = pytest.mark.e2e

OFTEN, SECONDS = "route-notifications", 2


def runs(fleet: Fleet) -> int:
    found = fleet.sql("select runs from fleet.schedule where name = %s", OFTEN)
    return int(found[0][0]) if found else 0


def test_two_beats_keep_one_timetable(fleet: Fleet, tmp_path: Path) -> None:
    second = ChildProcess(
        (sys.executable, "-m", "workers.cli", "beat"),
        log=tmp_path / "beat.log",
        env=fleet.stack.environment,
        cwd=tmp_path,
    )
    fleet.wait(lambda: "beat: Starting..." in second.output(), "the second beat")
    before, began = runs(fleet), time.monotonic()
    fleet.wait(lambda: runs(fleet) >= before + 3, "three runs")
    assert runs(fleet) - before <= (time.monotonic() - began) / SECONDS + 1
    second.terminate(20)
    worker = fleet.stack.children["worker"].output(1000)
    assert "succeeded" in worker, "runs are told of"
    for idle in ("schedule.tick", "Sending due task"):
        assert idle not in second.output(1000)
    assert "called nothing" not in worker
    assert "schedule.tick" not in "".join(line for line in worker.splitlines() if "received" in line)

    listed: list[dict[str, Any]] = json.loads(fleet.fleet("schedule", "--json", "--check"))
    told = {entry["name"]: entry for entry in listed}[OFTEN]
    assert (told["result"], told["error"], told["overdue"]) == ("0 notifications routed", None, False)
    assert fleet.fleet("run", "forget-links") == "0 links forgotten\n"
