"""Flower under a flood of tasks: what it keeps, in how much memory, and how fast it takes events up."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

from celery import Celery

from tests.workers.test_flower import Now, ran
from workers.flower_events import TASKS, FleetEvents

MANY = int(os.environ.get("FLEET_FLOWER_TASKS", "20000"))
FULL = 4 * TASKS
"""Celery remembers the order of four times as many tasks as are kept."""

WORKERS_AT_ONCE = 4
NAMES = ("events.fan_out_due", "email.send_due", "callbacks.work_off_due", "sms.send_due")


def test_a_flood_of_tasks_takes_no_more_memory_than_what_is_kept() -> None:
    events = FleetEvents(Celery("fleet", set_as_current=False), Now())
    flood(events, 0, FULL)
    full = resident_mb()
    began = time.monotonic()
    flood(events, FULL, FULL + MANY)
    pace = 3 * MANY / (time.monotonic() - began)
    grown = resident_mb() - full
    print(  # noqa: T201 - the point of it
        f"\n\nFlower after {MANY:,} tasks more than fill it: {len(events.state.tasks):,} kept,"
        f" {full:.0f} MB and {grown:+.1f} MB since it was full; {pace:,.0f} events a second"
    )
    assert len(events.state.tasks) == TASKS
    assert grown < 10


def flood(events: FleetEvents, first: int, last: int) -> None:
    for number in range(first, last):
        name, worker = NAMES[number % len(NAMES)], f"fleet-{number % WORKERS_AT_ONCE}@vm"
        end = {
            "type": "task-succeeded",
            "result": f"'email: {number} claimed, {number} sent'",
            "runtime": 0.1,
        }
        ran(events, f"{number:032x}", name, worker=worker, end=end, at=time.time())


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
