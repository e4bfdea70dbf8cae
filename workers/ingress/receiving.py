"""Taking what a provider posts: checked, stored raw and once, answered; worked off by a drain."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from db import json_rows
from db.queries import inbox
from workers.ingress import bodies
from workers.ingress.refusals import Malformed, NotStored, Refused, WrongMediaType, WrongMethod
from workers.ingress.sources import Post

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.types import Receive, Scope, Send

    from workers.ingress.sources import Callback, Source
    from workers.metrics import IngressMetrics

log = logging.getLogger(__name__)


class Shelf:
    """Stores callbacks, and says once that the database takes none and once that it does again.

    Args:
        sessions: Makes sessions.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._away = False
        self._lock = Lock()

    def put(self, provider: str, callbacks: Sequence[Callback]) -> int:
        """Store what is new of them; return how many.

        Raises:
            Refused: The database does not take them.
        """
        try:
            rows = json_rows.dumps(asdict(callback) for callback in callbacks)
        except RecursionError:
            raise Malformed("nested too deep") from None
        try:
            with self._sessions.begin() as session:
                stored = inbox.store(session, provider, rows)
        except DataError:
            raise Malformed("with a value that no database holds") from None
        except SQLAlchemyError as error:
            self._tell(error)
            raise NotStored from None
        self._tell(None)
        return stored

    def _tell(self, error: SQLAlchemyError | None) -> None:
        away = error is not None
        if away == self._away:
            return
        with self._lock:
            changed, self._away = away != self._away, away
        if changed and error is not None:
            log.error("callbacks can't be stored (%s): answering 503 until they can", type(error).__name__)
        elif changed:
            log.info("callbacks are stored again")


@dataclass(frozen=True)
class Receiver:
    """The ASGI application behind one source's address.

    Attributes:
        source: Who posts there.
        shelf: Where the callbacks go.
        metrics: Count what is taken and what is refused.
        clock: Gives the time, aware, UTC.
    """

    source: Source
    shelf: Shelf
    metrics: IngressMetrics
    clock: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = time.perf_counter()
        provider = self.source.provider
        try:
            response = await self._answer(Request(scope, receive))
        except Refused as refused:
            log.warning("a post to %s was refused: %s", self.source.path, refused)
            self.metrics.refused(provider, refused.reason)
            headers = {"Allow": "POST"} if isinstance(refused, WrongMethod) else None
            response = PlainTextResponse(str(refused), refused.status, headers)
        except ClientDisconnect:
            self.metrics.refused(provider, "cut")
            return
        await response(scope, receive, send)
        self.metrics.answered(provider, time.perf_counter() - begun)

    async def _answer(self, request: Request) -> Response:
        source = self.source
        if request.method != "POST":
            raise WrongMethod
        media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if source.media_type not in {None, media_type}:
            raise WrongMediaType
        body = await bodies.bounded(request, source.body_limit)
        query = request.scope["query_string"].decode("latin-1")
        await run_in_threadpool(self._take, Post(request.headers, query, body, self.clock()))
        return source.thanks()

    def _take(self, post: Post) -> None:
        callbacks = self.source.callbacks(post)
        stored = self.shelf.put(self.source.provider, callbacks)
        self.metrics.taken(self.source.provider, stored, len(callbacks) - stored)
