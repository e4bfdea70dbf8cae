"""A dossier goes to its next step when all documents that the current one requires are approved."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.queries import advances, happenings, steps
from services.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.steps import Dossier, Step
    from services.batches import Patience

log = logging.getLogger(__name__)

BATCH: Final = 20
BUSY_FOR: Final = timedelta(seconds=1)
"""A dossier that somebody else is writing just now is free again by then."""


@dataclass(frozen=True)
class Advancing:
    """Works off the dossiers of which a document was approved.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        manual_products: The codes of products whose dossiers go on by hand alone.
        policy: The pauses after a failure, and how many tries before a dossier is parked.
        jitter: Gives a number in [0, 1).
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    manual_products: frozenset[str]
    policy: Patience
    jitter: Callable[[], float]

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work until nothing is due or ``should_stop`` says so; return how many dossiers were looked at."""
        batches = Batches(
            what="dossier",
            queue=advances,
            work=self._look_at,
            sessions=self.sessions,
            policy=self.policy,
            clock=self.clock,
            jitter=self.jitter,
            size=BATCH,
        )
        return batches.run(should_stop)

    def sweep(self, since: datetime, before: datetime) -> int:
        """Queue what the trigger has missed, of the reviews of a span of time; return how many dossiers."""
        with self.sessions.begin() as session:
            return advances.enqueue_missed(session, since, before, self.manual_products)

    def _look_at(self, session: Session, dossier_ids: Sequence[UUID], now: datetime) -> None:
        # An approval that comes meanwhile waits in the trigger for this transaction, then queues its dossier
        # anew: what was not seen here is seen next time.
        held = [dossier_id for dossier_id in dossier_ids if steps.hold(session, dossier_id)]
        for dossier_id in held:
            dossier = steps.dossier(session, dossier_id)
            if dossier is not None and self._goes_by_itself(dossier):
                _advance(session, dossier, now)
        advances.finish(session, held)
        if len(held) < len(dossier_ids):
            busy = [dossier_id for dossier_id in dossier_ids if dossier_id not in held]
            advances.postpone(session, busy, now + BUSY_FOR)

    def _goes_by_itself(self, dossier: Dossier) -> bool:
        return dossier.status not in steps.ENDED and dossier.product not in {None, *self.manual_products}


def _advance(session: Session, dossier: Dossier, now: datetime) -> None:
    """End the current step, and those after it, as far as the documents of each are all approved."""
    ways = steps.of(session, dossier.dossier_id)
    place = next((n for n, step in enumerate(ways) if step.instance_id == dossier.current), None)
    if dossier.current is None or place is None:
        return
    step, instance_id = ways[place], dossier.current
    if not step.started or step.completed:
        return
    ahead = [each for each in ways[place + 1 :] if not each.completed]
    happened: list[dict[str, object]] = []
    while step.approved:
        steps.complete(session, instance_id, now)
        happened.append(_happened("STEP_COMPLETED", dossier, step, instance_id))
        if not ahead:
            steps.end(session, dossier.dossier_id, now)
            break
        step = ahead.pop(0)
        instance_id = steps.start(session, dossier.dossier_id, step.step_id, now)
        if not step.started:
            happened.append(_happened("STEP_STARTED", dossier, step, instance_id))
    if instance_id != dossier.current:
        steps.make_current(session, dossier.dossier_id, instance_id)
    if happened:
        happenings.write(session, json_rows.dumps(happened))
        log.info("dossier %s goes on to step instance %s", dossier.dossier_id, instance_id)


def _happened(event_type: str, dossier: Dossier, step: Step, instance_id: UUID) -> dict[str, object]:
    payload = {
        "dossier_id": dossier.dossier_id,
        "step_id": step.step_id,
        "step_instance_id": instance_id,
    }
    return {
        "entity_type": "step_instance",
        "entity_id": instance_id,
        "event_type": event_type,
        "payload": payload,
    }
