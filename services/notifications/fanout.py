"""An event becomes notifications and deliveries, in one transaction, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from db import json_rows
from db.models.enums import NotificationChannel
from db.queries import announcements, outbox, preferences
from services import witness
from services.batches import Batches
from services.notifications import catalogue, journey, reach, subject
from services.notifications.announcing import Announcing, Message
from services.notifications.catalogue import Announcement, Silence
from services.notifications.reach import Addressee

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.announcements import WrittenNotification
    from db.queries.outbox import EventFacts
    from services.notifications.render import Renderer
    from services.notifications.retry import RetryPolicy

log = logging.getLogger(__name__)

BATCH = 100

_IN_APP_ONLY = replace(catalogue.route(None), channels=(NotificationChannel.IN_APP,))


@dataclass(slots=True)
class _Batch:
    """The rows that a batch of events becomes."""

    announcing: Announcing
    places: list[dict[str, object]] = field(default_factory=list)
    results: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True)
class FanOut:
    """Works off the outbox.

    Attributes:
        sessions: Makes sessions.
        renderer: Writes the in-app words.
        locale: The language of people who have not chosen one.
        app_announces: Event types that the application announces itself.
        policy: The pauses after a failure, and how many tries before an event is parked.
        clock: Gives the time, aware, UTC.
        jitter: Gives a number in [0, 1).
        region: The country of phone numbers that are written without one, by its two letters.
    """

    sessions: sessionmaker[Session]
    renderer: Renderer
    locale: str
    app_announces: frozenset[str]
    policy: RetryPolicy
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    region: str

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Fan out until nothing is due or ``should_stop`` says so; return how many events were worked off."""
        batches = Batches(
            what="event",
            queue=outbox,
            work=self._fan_out,
            sessions=self.sessions,
            policy=self.policy,
            clock=self.clock,
            jitter=self.jitter,
            size=BATCH,
        )
        return batches.run(should_stop)

    def _fan_out(self, session: Session, event_ids: Sequence[UUID], now: datetime) -> None:
        facts = outbox.facts(session, event_ids)
        written = self._written(session, facts)
        said = preferences.of(session, [event.user_id for event in facts if event.user_id])
        locales = {user_id: each.locale for user_id, each in said.items()}
        batch = _Batch(Announcing(self.renderer, locales, self.locale))
        for event in facts:
            outcome, reason = self._add(batch, event, written.get((event.event_id, event.user_id)))
            batch.results.append({"event_id": event.event_id, "outcome": outcome, "reason": reason})
        free = announcements.record(session, json_rows.dumps(batch.places)) if batch.places else set()
        batch.announcing.write(session, free, self.region, now)
        outbox.finish(session, json_rows.dumps(batch.results), event_ids, now)
        witness.tell(session, journey.events, facts, batch.results, self.clock)

    @staticmethod
    def _written(
        session: Session, facts: Sequence[EventFacts]
    ) -> Mapping[tuple[UUID, UUID | None], WrittenNotification]:
        """What the application has announced itself, the oldest notification of each event and person."""
        people = {event.user_id for event in facts if event.user_id is not None}
        if not people:
            return {}
        rows = announcements.of_events(session, [event.event_id for event in facts], list(people))
        return {(row.event_id, row.user_id): row for row in reversed(rows) if row.event_id is not None}

    def _add(
        self, batch: _Batch, event: EventFacts, written: WrittenNotification | None
    ) -> tuple[str, str | None]:
        verdict = catalogue.judge(event)
        if isinstance(verdict, Silence):
            if verdict.reason.startswith("unknown"):
                about = {"event_id": str(event.event_id)}
                log.warning("event %s was passed over: %s", event.event_id, verdict.reason, extra=about)
            return "PASSED_OVER", verdict.reason
        if event.event_type in self.app_announces:
            return "APPLICATION", "by setting, the application announces events of this type"
        if event.user_id is None:
            return "PASSED_OVER", f"no person belongs to {event.entity_type} {event.entity_id}"
        if written is not None:
            template = written.template_code or verdict.template
            self._take_place(batch, event, template, written.notification_id, "APPLICATION")
            return "APPLICATION", f"the application has written notification {written.notification_id}"
        return self._announce(batch, event, event.user_id, verdict)

    def _announce(
        self, batch: _Batch, event: EventFacts, user_id: UUID, verdict: Announcement
    ) -> tuple[str, str | None]:
        message = Message(
            template=verdict.template,
            payload=subject.payload(event),
            action_url=subject.action_path(event),
            user_id=user_id,
            full_name=event.full_name,
            email=event.email,
            phone=event.phone,
            dossier_id=event.dossier_id,
            event_id=event.event_id,
        )
        self._take_place(batch, event, verdict.template, batch.announcing.add(message), "FLEET")
        # A phone, other than an address, is nobody's duty to have.
        unreached = (
            NotificationChannel.EMAIL in catalogue.route(verdict.template).channels and not event.email
        )
        return "NOTIFIED", "no address for EMAIL" if unreached else None

    @staticmethod
    def _take_place(
        batch: _Batch, event: EventFacts, template: str, notification_id: UUID, author: str
    ) -> None:
        batch.places.append(
            {
                "event_id": event.event_id,
                "user_id": event.user_id,
                "template_code": template,
                "notification_id": notification_id,
                "announced_by": author,
            }
        )


@dataclass(frozen=True)
class Routing:
    """Gives deliveries to notifications that the application wrote without any.

    Attributes:
        sessions: Makes sessions.
        grace: How long the application has for its own inserts.
        clock: Gives the time, aware, UTC.
        region: As for ``FanOut``.
        window: How far back it looks.
    """

    sessions: sessionmaker[Session]
    grace: timedelta
    clock: Callable[[], datetime]
    region: str
    window: timedelta = timedelta(days=1)

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Route what has waited out its grace; return how many notifications got deliveries."""
        total = 0
        while not should_stop():
            routed = self._batch()
            total += routed
            if routed < BATCH:
                break
        return total

    def _batch(self) -> int:
        with self.sessions.begin() as session:
            now = self.clock()
            found = announcements.unrouted(session, now - self.window, now - self.grace, BATCH)
            if not found:
                return 0
            told = announcements.announced_by_fleet(session, [row.event_id for row in found if row.event_id])
            told_of = {(event_id, user_id) for event_id, user_id, _ in told}
            addressees = [
                Addressee(
                    row.notification_id,
                    # The fleet was quicker with the same event: the person has had the rest.
                    _IN_APP_ONLY
                    if (row.event_id, row.user_id) in told_of
                    else catalogue.route(row.template_code),
                    row.user_id,
                    row.email,
                    row.phone,
                )
                for row in found
            ]
            reach.deliver(session, addressees, self.region, now)
            return len(found)
