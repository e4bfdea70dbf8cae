"""Wake-ups: which task works off which queue, and how it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

CHANNELS: Final = ("EMAIL", "IN_APP", "WHATSAPP", "SMS", "PUSH")
"""The delivery channels; each has a queue and a drain of its own, so that SMS never waits behind e-mail."""

QUEUE_OF_CHANNEL: Final[Mapping[str, str]] = {channel: channel.lower() for channel in CHANNELS}

TASK_OF_QUEUE: Final[Mapping[str, str]] = {
    "fanout": "events.fan_out_due",
    **{queue: f"{queue}.send_due" for queue in QUEUE_OF_CHANNEL.values()},
    "notices": "notices.tell_due",
    "inbox": "callbacks.work_off_due",
    "payments": "payments.work_off_due",
    "advances": "dossiers.advance_due",
    "reminders": "reminders.send_due",
    "lookups": "lookups.ask_due",
}
"""Queues that drain what is due. Their messages carry nothing: the database knows what there is to do."""

MAINTENANCE_QUEUE: Final = "maintenance"

RECONCILE_QUEUE: Final = "reconcile"
"""Apart, so that a long look through Stripe's lists keeps nobody waiting."""

QUEUES: Final = (*TASK_OF_QUEUE, RECONCILE_QUEUE, MAINTENANCE_QUEUE)

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
