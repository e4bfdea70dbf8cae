"""What a provider says afterwards settles the attempts whose outcome nobody knew."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from db import json_rows
from db.queries import inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.inbox import Callback

log = logging.getLogger(__name__)

BATCH = 200
PARK_AFTER = 4


@dataclass(frozen=True)
class Evidence:
    """Works off the inbox.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work off callbacks until nothing is due or ``should_stop`` says so; return how many."""
        total = 0
        while not should_stop():
            handled = self._batch_or_one_by_one()
            total += handled
            if handled == 0:
                break
        return total

    def _batch_or_one_by_one(self) -> int:
        try:
            return self._batch(BATCH)
        except DBAPIError as error:
            log.warning("a batch of callbacks failed (%s); trying them one by one", type(error).__name__)
        return self._batch(1, record_failure=True)

    def _batch(self, limit: int, *, record_failure: bool = False) -> int:
        with self.sessions.begin() as session:
            now = self.clock()
            callbacks = inbox.claim(session, limit, now)
            try:
                with session.begin_nested():
                    settled = self._work_off(session, callbacks, now)
            except DBAPIError as error:
                if not record_failure:
                    raise
                inbox.fail(session, callbacks[0], type(error).__name__, PARK_AFTER, now)
                log.error("callback %s failed with %s", callbacks[0].callback_id, type(error).__name__)  # noqa: TRY400 - its text may quote what the callback says
                return 1
        if settled:
            log.info("%d attempts of unknown outcome settled by callback", len(settled))
        return len(callbacks)

    @staticmethod
    def _work_off(session: Session, callbacks: Sequence[Callback], now: datetime) -> set[str]:
        if not callbacks:
            return set()
        proofs = {str(token): message_id for token, message_id in map(_proof, callbacks) if token}
        rows = [{"token": token, "message_id": message_id} for token, message_id in proofs.items()]
        settled = inbox.settle_by_callback(session, json_rows.dumps(rows), now) if rows else set()
        marks = [
            {
                "provider": callback.provider,
                "callback_id": callback.callback_id,
                "handled_as": _handled_as(callback, settled),
            }
            for callback in callbacks
        ]
        inbox.mark_handled(session, json_rows.dumps(marks), now)
        return settled


def _proof(callback: Callback) -> tuple[UUID | None, str]:
    """The attempt's token and the message's id, where a callback proves that the provider had accepted it.

    SendGrid reports only on messages that it has accepted, and merges ``custom_args`` into each event;
    ``sg_message_id`` begins with the id that the accepting answer carried.
    """
    token, message_id = _text(callback.body, "attempt"), _text(callback.body, "sg_message_id")
    try:
        return UUID(token), message_id.split(".", 1)[0] or "unknown"
    except ValueError:
        return None, ""


def _handled_as(callback: Callback, settled: set[str]) -> str:
    return "EVIDENCE" if _text(callback.body, "attempt") in settled else "NOTED"


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
