"""The process that does the work."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from celery.signals import worker_shutting_down

from tasks.wakeups import QUEUES
from workers.bootstrap import make_fleet
from workers.commands.output import examples
from workers.commands.process import PANEL, started

THREADS = 12
"""Tasks side by side in a worker: one drain per queue, and room for what comes by hand."""


def worker(
    queues: Annotated[
        str, typer.Option(help=f"Queues to work off, by comma; there are {', '.join(QUEUES)}.")
    ] = ",".join(QUEUES),
) -> None:
    """Run a worker. Start as many as you like, on as many machines as you like."""
    unknown = sorted(set(queues.split(",")) - set(QUEUES))
    if unknown:
        raise typer.BadParameter(f"no such queue: {', '.join(unknown)}; there are {', '.join(QUEUES)}")
    fleet = make_fleet(started("worker"))

    def stop(**_: object) -> None:
        fleet.stopping.set()

    worker_shutting_down.connect(stop)
    fleet.celery.worker_main(
        [
            "worker",
            "--pool=threads",
            f"--concurrency={THREADS}",
            f"--queues={queues}",
            f"--hostname=fleet-{os.getpid()}@%h",
            f"--loglevel={fleet.settings.log_level}",
            "--without-gossip",
            "--without-mingle",
        ]
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL, epilog=examples("fleet worker", "fleet worker --queues email,sms"))(
        worker
    )
