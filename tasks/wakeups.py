"""Wake-ups: which task works off which queue, and how it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

TASK_OF_QUEUE: Final[Mapping[str, str]] = {
    "fanout": "events.fan_out_due",
    "email": "email.send_due",
    "in_app": "in_app.send_due",
    "inbox": "callbacks.work_off_due",
}
"""Queues that drain what is due. Their messages carry nothing: the database knows what there is to do."""

MAINTENANCE_QUEUE: Final = "maintenance"

QUEUES: Final = (*TASK_OF_QUEUE, MAINTENANCE_QUEUE)

CHANNELS: Final = ("EMAIL", "IN_APP")
"""The delivery channels that have a drain."""

EXPIRES_SECONDS: Final = 60
"""A wake-up that nobody took is worth nothing: the next poll sends another."""


def publish(app: Celery, queue: str) -> None:
    """Ask a worker to drain a queue; a queue that nobody drains is passed over.

    Raises:
        kombu.exceptions.OperationalError: The broker is away. Nothing is lost: the rows stay due.
    """
    task = TASK_OF_QUEUE.get(queue)
    if task is not None:
        app.send_task(task, queue=queue, expires=EXPIRES_SECONDS, retry=False)
