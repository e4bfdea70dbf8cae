"""Works off the inbox: what providers say afterwards, in batches."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from db import json_rows
from db.queries import conversations, inbox
from services.notifications import receipts, stops
from services.notifications.effects import Effects, Handled
from services.notifications.receipts import Inbound, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.inbox import Callback
    from services.notifications.effects import Classify

log = logging.getLogger(__name__)

OTHERS: Final = ("stripe",)
"""Whose callbacks another drain works off."""

BATCH: Final = 1000
PARK_AFTER: Final = 4
BUSY_FOR: Final = timedelta(seconds=1)
"""Rows that another transaction holds are free again by then."""


@dataclass(frozen=True)
class Evidence:
    """Works off the inbox.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        classify: By provider, how its codes are taken; see ``Effects``.
        region: As for ``Effects``.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    classify: Mapping[str, Classify] = field(default_factory=dict)
    region: str = "FR"

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work off callbacks until nothing is due or ``should_stop`` says so; return how many.

        Where a batch fails, smaller ones are tried, down to the one that is at fault.
        """
        total, size = 0, BATCH
        while not should_stop():
            try:
                handled = self._batch(size)
            except DBAPIError as error:
                if size == 1:
                    raise
                log.warning("a batch of callbacks failed (%s); trying a smaller one", type(error).__name__)
                size = max(1, size // 10)
                continue
            total += handled
            if handled == 0:
                break
            size = min(BATCH, size * 2)
        return total

    def _batch(self, size: int) -> int:
        with self.sessions.begin() as session:
            now = self.clock()
            callbacks = inbox.claim(session, OTHERS, size, now)
            try:
                with session.begin_nested():
                    self._work_off(session, callbacks, now)
            except DBAPIError as error:
                if size > 1:
                    raise
                inbox.fail(session, callbacks[0], type(error).__name__, PARK_AFTER, now)
                failed = callbacks[0].callback_id
                told = ("callback %s failed with %s", failed, type(error).__name__)
                log.error(*told, extra={"callback_id": failed})  # noqa: TRY400 - its text may quote what the callback says
        return len(callbacks)

    def _work_off(self, session: Session, callbacks: Sequence[Callback], now: datetime) -> None:
        if not callbacks:
            return
        said = [(callback, receipts.read(callback, now)) for callback in callbacks]
        words = [(callback, word) for callback, word in said if isinstance(word, Word)]
        inbound = [(callback, each) for callback, each in said if isinstance(each, Inbound)]
        _hear(session, [each for _, each in inbound])
        outcomes = self._effects.apply(session, [word for _, word in words], "CALLBACK", now)
        handled = [(callback, outcome) for (callback, _), outcome in zip(words, outcomes, strict=True)]
        handled += [(callback, Handled.INBOUND) for callback, _ in inbound]
        handled += [(callback, Handled.FOREIGN) for callback, each in said if each is None]
        done = [
            _key(callback) | {"handled_as": outcome.value}
            for callback, outcome in handled
            if outcome is not Handled.BUSY
        ]
        busy = [_key(callback) for callback, outcome in handled if outcome is Handled.BUSY]
        inbox.mark_handled(session, json_rows.dumps(done), now)
        if busy:
            inbox.postpone(session, json_rows.dumps(busy), now + BUSY_FOR)
        stops.heed(session, callbacks, now)

    @property
    def _effects(self) -> Effects:
        return Effects(self.classify, self.region)


def _hear(session: Session, inbound: Sequence[Inbound]) -> None:
    """Take note of what people write to us: for a day WhatsApp takes free text to whoever wrote there."""
    if inbound:
        conversations.note(session, json_rows.dumps(map(asdict, inbound)))


def _key(callback: Callback) -> dict[str, object]:
    return {"provider": callback.provider, "callback_id": callback.callback_id}
