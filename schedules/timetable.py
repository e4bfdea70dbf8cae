"""When things tick. Every entry may run late, twice, or on two beats at once: the database decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def timetable(queue: str) -> Mapping[str, Mapping[str, Any]]:
    """Celery beat's schedule: name, task, seconds between ticks.

    Args:
        queue: Where the ticks are published.

    A tick that no worker took before the next one expires: a stopped worker finds no pile of them.
    """

    def every(seconds: int, task: str) -> Mapping[str, Any]:
        return {
            "task": task,
            "schedule": float(seconds),
            "options": {"queue": queue, "expires": seconds},
        }

    return {
        "wake queues that have something due": every(5, "maintenance.wake_due_queues"),
        "route notifications without deliveries": every(2, "maintenance.route_notifications"),
        "queue what the triggers have missed": every(30, "maintenance.enqueue_forgotten"),
        "have providers asked about what nobody has heard of": every(30, "maintenance.put_down_questions"),
        "forget links that expired long ago": every(3600, "maintenance.forget_links"),
    }
