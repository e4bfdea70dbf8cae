"""What a provider says afterwards settles the attempts whose outcome nobody knew."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from db import json_rows
from db.queries import inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.inbox import Callback

log = logging.getLogger(__name__)

BATCH = 200


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
            handled = self._batch()
            total += handled
            if handled < BATCH:
                break
        return total

    def _batch(self) -> int:
        with self.sessions.begin() as session:
            now = self.clock()
            callbacks = inbox.claim(session, BATCH, now)
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
            if marks:
                inbox.mark_handled(session, json_rows.dumps(marks), now)
        if settled:
            log.info("%d attempts of unknown outcome settled by callback", len(settled))
        return len(callbacks)


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
