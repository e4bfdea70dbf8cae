"""The Celery app: wake-ups over a broker that may be wiped at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery
from kombu.entity import Queue

from tasks import schedule
from tasks.wakeups import MAINTENANCE_QUEUE, QUEUES

if TYPE_CHECKING:
    from workers.settings import Settings


def make_app(settings: Settings) -> Celery:
    """Make the app, without tasks: enough to publish wake-ups, to tick, and to watch.

    Args:
        settings: Whose broker to use.
    """
    app = Celery("fleet", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(_configuration())
    return app


def _configuration() -> dict[str, Any]:
    return {
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
        "task_queues": [Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        "task_default_queue": MAINTENANCE_QUEUE,
        "task_create_missing_queues": False,
        "beat_schedule": dict(schedule.beat_schedule()),
        # Nothing of beat's is kept in a file: the last runs are in the database.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_max_loop_interval": 1,
        # The outcome of a task is in the database; the broker keeps no results.
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_soft_shutdown_timeout": 10.0,
        "worker_enable_soft_shutdown_on_idle": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # For Flower. What was sent and not taken up is in its queues, which it counts.
        "worker_send_task_events": True,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 3,
        "broker_transport_options": {
            "socket_keepalive": True,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            # What a killed worker had taken comes back soon, though the database has it due again anyway.
            "visibility_timeout": 120,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
        },
    }
