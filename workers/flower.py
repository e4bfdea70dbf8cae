"""Flower on the fleet's broker: behind the operators' sign-in, within bounded memory, back after each outage.

It is put together here and not by its own command, which lets variables and a file in the working folder
change what is settled below.
"""

from __future__ import annotations

import logging
import secrets
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from flower.api.tasks import GetQueueLengths
from flower.app import Flower
from flower.urls import settings as flower_settings
from flower.views.broker import BrokerView
from flower.views.monitor import Healthcheck
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.options import options
from tornado.web import RequestHandler

from tasks.wakeups import QUEUES
from workers.flower_door import ASK
from workers.flower_events import OFFLINE_SECONDS, FleetEvents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from pydantic import HttpUrl
    from tornado.httputil import HTTPServerRequest

    from workers.flower_door import Guard, Refusal

log = logging.getLogger(__name__)

FORGET_SECONDS: Final = 60
HEALTH: Final = "/healthcheck"
COLUMNS: Final = "received,name,args,state,result,runtime,worker,uuid"


def prefix(url: HttpUrl | None) -> str:
    """What is before Flower's own paths where operators reach it, such as ``/flower``; usually nothing."""
    return (url.path or "").rstrip("/") if url else ""


class FleetFlower(Flower):
    """Flower as operators of the fleet use it.

    Args:
        celery: Whose broker to watch.
        guard: Says who may look.
        prefix: What is before its paths, as ``prefix`` says.
        host: Address to listen on.
        port: Port to listen on.
        allow_changes: Whether those who sign in may run tasks and stop workers.
    """

    def __init__(  # noqa: PLR0913 - named, and each is what Flower leaves open
        self, celery: Celery, guard: Guard, *, prefix: str, host: str, port: int, allow_changes: bool
    ) -> None:
        # Flower itself only knows a password of this process, which the guard gives with what it lets in.
        inner = f"fleet:{secrets.token_urlsafe(18)}"
        self._guard = guard
        self._inner = f"Basic {b64encode(inner.encode()).decode()}"
        # Parts of Flower read them here, whatever they are given.
        options.basic_auth = [inner]
        options.address = host
        options.port = port
        options.url_prefix = prefix
        options.read_only = not allow_changes
        options.purge_offline_workers = OFFLINE_SECONDS
        options.tasks_columns = COLUMNS
        options.format_task = _readable
        loop = IOLoop.current()
        below = {name: prefix + flower_settings[name] for name in ("login_url", "static_url_prefix")}
        super().__init__(options, celery, FleetEvents(celery, loop), loop, **flower_settings | below)
        self.add_handlers(
            ".*",
            [
                (HEALTH, Healthcheck),
                (f"{prefix}/broker", _Broker),
                (f"{prefix}/api/queues/length", _QueueLengths),
            ],
        )
        self._forgetting = PeriodicCallback(self._forget, FORGET_SECONDS * 1000)

    def run(self) -> None:
        """Serve until it is told to stop."""
        port = self.start_http_server()
        log.info("Flower is on http://%s:%d%s/", self.options.address, port, self.options.url_prefix)
        self._forgetting.start()
        self.start()

    def stop_soon(self) -> None:
        """End it; from any thread or signal."""
        self.io_loop.add_callback_from_signal(self.stop)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Who answers a request: nothing but health is told to those whom the guard does not let in."""
        if request.path != HEALTH:
            refusal = self._guard.refusal(request)
            if refusal is not None:
                return self.get_handler_delegate(request, _Refused, {"refusal": refusal})
            request.headers["Authorization"] = self._inner
        return super().find_handler(request, **kwargs)

    def _forget(self) -> None:
        known = self.events.forget(time.time())
        for name in set(self.inspector.workers) - known:
            del self.inspector.workers[name]


def _readable(task: Any) -> Any:
    """Arguments and results as they were said: Flower is told them as Python would write them down."""
    task.args = "" if task.args == "()" else task.args
    task.kwargs = "" if task.kwargs == "{}" else task.kwargs
    task.result = task.result.strip("'\"") if task.result else task.result
    return task


class _AllQueues:
    """Flower lists those that a worker works off; one that nobody does is the one to see."""

    def get_active_queue_names(self) -> Sequence[str]:
        return QUEUES


class _Broker(_AllQueues, BrokerView):
    pass


class _QueueLengths(_AllQueues, GetQueueLengths):
    pass


class _Refused(RequestHandler):
    def initialize(self, refusal: Refusal) -> None:
        self._refusal = refusal

    def check_xsrf_cookie(self) -> None:
        """Nothing can be forged with a request that is refused."""

    def prepare(self) -> None:
        self.set_status(self._refusal.status)
        for name, value in self._refusal.headers.items():
            self.set_header(name, value)
        _ = self.finish("sign in\n" if self._refusal is ASK else "too many wrong passwords; wait\n")
