"""A notice becomes a notification and deliveries, in one transaction, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import notice_queue, payment_reminders, preferences
from services import witness
from services.batches import Batches
from services.notifications import journey
from services.notifications.announcing import Announcing, Message
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.notice_queue import NoticeFacts
    from services.notifications.render import Renderer
    from services.notifications.retry import RetryPolicy

log = logging.getLogger(__name__)

BATCH: Final = 100
UNKNOWN_TEMPLATE: Final = "unknown_template"
"""Why a notice is parked at its first try: no later one finds other words in this release."""

_HOME: Final = "/dashboard"


@dataclass(frozen=True)
class Notices:
    """Works off what people are to be told that no event of the platform's stands for.

    Attributes:
        sessions: Makes sessions.
        renderer: Writes the in-app words.
        locale: The language of people who have not chosen one.
        policy: The pauses after a failure, and how many tries before a notice is parked.
        clock: Gives the time, aware, UTC.
        jitter: Gives a number in [0, 1).
        region: The country of phone numbers that are written without one, by its two letters.
    """

    sessions: sessionmaker[Session]
    renderer: Renderer
    locale: str
    policy: RetryPolicy
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    region: str

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Tell until nothing is due or ``should_stop`` says so; return how many notices were worked off."""
        batches = Batches(
            what="notice",
            queue=notice_queue,
            work=self._tell,
            sessions=self.sessions,
            policy=self.policy,
            clock=self.clock,
            jitter=self.jitter,
            size=BATCH,
        )
        return batches.run(should_stop)

    def _tell(self, session: Session, notice_ids: Sequence[UUID], now: datetime) -> None:
        facts = notice_queue.facts(session, notice_ids)
        said = preferences.of(session, [notice.user_id for notice in facts if notice.user_id])
        locales = {user_id: each.locale for user_id, each in said.items()}
        announcing = Announcing(self.renderer, locales, self.locale)
        results: list[dict[str, object]] = []
        told: set[UUID] = set()
        for notice in facts:
            about = {"notice_id": str(notice.notice_id)}
            if notice.user_id is None:
                log.info("notice %s was told to nobody: its person is gone", notice.notice_id, extra=about)
                results.append({"id": notice.notice_id, "notification_id": None})
            elif notice.template_code not in set(Template):
                notice_queue.fail(session, notice.notice_id, UNKNOWN_TEMPLATE, now, 0, now)
                log.error("notice %s has a template that is not known; parked", notice.notice_id, extra=about)
            else:
                notification_id = announcing.add(_message(notice, notice.user_id))
                told.add(notification_id)
                results.append({"id": notice.notice_id, "notification_id": notification_id})
        announcing.write(session, told, self.region, now)
        notice_queue.finish(session, json_rows.dumps(results), now)
        reminders = [each.notice_id for each in facts if each.template_code == Template.REMINDER]
        payment_reminders.told(session, reminders, now)
        witness.tell(session, journey.notices, facts, results, self.clock)


def _message(notice: NoticeFacts, user_id: UUID) -> Message:
    return Message(
        template=Template(notice.template_code),
        payload=notice.payload,
        action_url=notice.action_url or _HOME,
        user_id=user_id,
        full_name=notice.full_name,
        email=notice.email,
        phone=notice.phone,
        dossier_id=notice.dossier_id,
    )
